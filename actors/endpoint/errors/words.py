"""The codes, words and statuses by which providers tell a failure, each with its kind.

Owns: the tables, in the spellings that providers publish and that people report. How they are weighed against each
other is `actors.endpoint.errors.kinds`.

Invariant: a pattern is for a kind of sentence, not for one provider: what is meant is said in many words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from reasoning.teacher.calls import FailureKind

_QUOTA = FailureKind.QUOTA
_AUTHENTICATION = FailureKind.AUTHENTICATION
_NOT_FOUND = FailureKind.NOT_FOUND
_TOO_LONG = FailureKind.CONTEXT_TOO_LONG
_FILTER = FailureKind.CONTENT_FILTER
_LIMITED = FailureKind.RATE_LIMITED

_UNREAD = "output_parse_failed tool_use_failed json_validate_failed"  # Groq's, of an answer: another may go right
_CODES: Mapping[FailureKind, str] = {
    _QUOTA: """
        insufficient_quota insufficient_user_quota insufficient_balance insufficient_credits insufficient_funds
        billing_hard_limit_reached billing_limit_reached billing_not_active billing_disabled billing_error
        organization_usage_limit_exceeded organization_spend_limit_exceeded project_spend_limit_exceeded
        exceeded_current_quota_error exceeded_budget budget_exceeded credit_limit payment_required
        arrearage allocation_quota_free_tier_only access_denied_unpurchased quota_value_0 1113 30001
        account_overdue account_overdue_error set_limit_exceeded token_quota_reached quota_exhausted out_of_quota
        pre_consume_token_quota_failed""",
    _AUTHENTICATION: """
        invalid_api_key incorrect_api_key api_key_invalid api_key_expired api_key_service_blocked api_key_disabled
        invalid_authentication invalid_authentication_error authentication_error authentication_failed auth_error
        unauthorized unauthenticated account_deactivated account_disabled access_terminated account_suspended
        consumer_suspended invalid_organization mismatched_organization mismatched_project organization_not_found
        unsupported_country_region_territory unsupported_country invalid_token token_expired expired_api_key
        organization_restricted
        key_model_access_denied permission_denied permission_error missing_api_key unregistered_callers_not_allowed""",
    _NOT_FOUND: """
        model_not_found model_not_available model_not_supported model_not_exist invalid_model unknown_model
        unavailable_model model_decommissioned model_deprecated deployment_not_found resource_not_found_error
        not_found_error no_such_model model_not_loaded operation_not_supported unsupported_api_version
        missing_api_version_parameter model_terms_required 20012""",
    _TOO_LONG: """
        context_length_exceeded string_above_max_length exceed_context_size_error context_window_exceeded
        prompt_too_long request_too_large context_window_exceeded_error model_max_prompt_tokens_exceeded
        tokens_limit_reached input_too_long""",
    _FILTER: """
        content_filter content_policy_violation responsible_aipolicy_violation responsible_ai_policy_violation
        data_inspection_failed moderation_blocked invalid_prompt content_filtered safety content_moderation
        content_blocked prompt_blocked
        sensitive_content_detected input_text_sensitive_content_detected output_text_sensitive_content_detected
        input_text_risk_detection output_text_risk_detection content_policy_violation_error prohibited_content""",
    FailureKind.SERVER: _UNREAD,
    # A parameter, whatever the words say of the model; and a question that a recorded teacher does not have.
    FailureKind.BAD_REQUEST: """
        unsupported_parameter unsupported_value unknown_parameter extra_forbidden question_not_recorded""",
}
KIND_OF_CODE = {code: kind for kind, codes in _CODES.items() for code in codes.split()}
ANSWERED_CODES = frozenset(_UNREAD.split())  # a request that was answered, and may be billed, all the same
# These mean what they say also beside a status of 5xx, which routers give to what will not pass by itself.
WHATEVER_THE_STATUS = frozenset(
    {
        *("insufficient_user_quota", "insufficient_balance", "insufficient_credits"),
        "pre_consume_token_quota_failed",
        *("invalid_api_key", "incorrect_api_key", "api_key_invalid", "model_not_found"),
        *("context_length_exceeded", "context_window_exceeded", "context_window_exceeded_error"),
        *("content_policy_violation", "content_filter"),
    }
)
# To slow down, where a status of 429 does not say it: routers and clouds give these words another one.
LIMITED_CODES = frozenset(
    {
        *("rate_limit", "rate_limited", "rate_limit_exceeded", "rate_limit_error", "rate_limit_reached"),
        *("rate_limit_reached_error", "user_rate_limit_exceeded", "rpm_rate_limit_exceeded", "tpm_rate_limit_exceeded"),
        *("too_many_requests", "too_many_requests_exception", "too_many_requests_error", "request_limit_exceeded"),
        *("throttling", "throttled", "throttling_exception", "throttling_rate_quota", "throttling_allocation_quota"),
        *("limit_requests", "limit_burst_rate", "resource_exhausted", "slow_down"),
        *("service_quota_exceeded", "service_quota_exceeded_exception"),
    }
)
MAY_BE_LIMITED = frozenset({400, 401, 403, 503})
# Given by some endpoints to errors of many kinds: the words tell more.
VAGUE = frozenset(
    {
        *("permission_denied", "permission_error", "authentication_error", "auth_error", "unauthorized"),
        "not_found_error",
    }
)

KIND_OF_STATUS = {
    401: _AUTHENTICATION,
    402: _QUOTA,
    403: _AUTHENTICATION,
    404: _NOT_FOUND,
    405: _NOT_FOUND,  # an address that takes no POST is not the API's
    407: _AUTHENTICATION,  # a proxy's
    408: FailureKind.TIMEOUT,
    409: FailureKind.SERVER,
    413: _TOO_LONG,
    424: FailureKind.SERVER,
    425: FailureKind.SERVER,
    446: _FILTER,  # Portkey: a guardrail's
    429: FailureKind.RATE_LIMITED,
    451: _AUTHENTICATION,  # a region's
    498: FailureKind.SERVER,  # Groq: no capacity left
    499: FailureKind.SERVER,  # a gateway whose own connection was closed
}


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


_SENT = (
    r"\b(?:inputs?|input_tokens|prompts?|prompt_tokens|requests?|messages?|context|query|contents?|conversation|tokens)"
)
_MEASURE = r"\b(?:tokens?|characters|length|context|window|max_(?:seq|model|position|context|input)\w*)\b"
_NEAR = r"(?:(?!\bmax_(?:new_|completion_|output_)?tokens|\brate\b|\bper\b|budget|quota|balance)[^.!?]){0,80}?"
_MODEL = r"(?:model|engine)\b[^.!?]{0,100}"
WORDS: tuple[tuple[FailureKind, re.Pattern[str]], ...] = (
    (
        _QUOTA,
        _any(
            r"credit balance is too low|\bbalance is \$?-?0(?:\.0+)?(?![.\d]*\d)",
            (
                r"(?:balance|credits?|funds|quota) (?:(?:is|are|has been|have been) )?(?:insufficient|"
                r"not enough|too low|exhausted|depleted|used up|negative)"
            ),
            (
                r"(?:insufficient|not enough|no remaining|out of|ran out of|run out of) (?:\w+ )?(?:credits?|balance|"
                r"funds|quota)\b"
            ),
            r"(?:budget|allowance|quota)\b[^.!?]{0,40}\b(?:used up|exhausted|depleted|spent)\b",
            r"\bquota\b[^.!?]{0,60}\b(?:is|of) (?:0|zero)\b",
            r"\b(?:add|deposit|top up)\b[^.!?]{0,20}\b(?:funds|money|to your (?:balance|account|wallet))\b",
            r"out of (?:call|request|token|usage)s?(?: volume)? quota|quota will be (?:replenished|renewed|restored)",
            r"(?:have|has|having|with) no (?:\w+ )?credits",
            r"doesn'?t have any credits",
            r"used all (?:available|your|of your) credits",
            r"(?:more|purchase|buy|add|included) credits",
            r"credit limit",
            r"exceeded your current quota",
            r"(?:plan and|your) billing",
            r"billing (?:hard )?limit",
            r"billing (?:is |account )?(?:not active|disabled|inactive)",
            r"enable billing",
            r"payment (?:is )?required",
            r"(?:spend(?:ing)?|usage|monthly|budget) (?:limits?|cap)\b.{0,20}(?:reached|exceeded|hit)",
            (
                r"(?:reached|exceeded|hit|over|reaching)\b.{0,40}\b(?:(?:spend(?:ing)?|api usage|usage|monthly|"
                r"budget) (?:limit|cap)|budget)"
            ),
            r"budget has been exceeded",
            r"account is not active",
            r"account in good standing",
            r"account is in good standing",
            r"account is in arrears",
            r"overdue|past due|non-?payment|unpaid",
            r"free (?:tier|trial|quota)\b.{0,40}(?:exhausted|expired|ended|used up)",
            r"trial (?:has )?(?:expired|ended)",
            r"key (?:\w+ )?limit (?:exceeded|reached)",
            r"\b\d+ free (?:requests|calls|messages|tokens)|(?:subscribe|upgrade|recharge|pay) to continue",
            r"over (?:the )?budget|exceeded ?budget",
            r"set (?:inference|usage|consumption) limit",
            r"quota for .{0,40}(?:reached|exhausted|used up)",
            "余额不足|账户余额|欠费|无可用资源包|额度(?:不足|已用尽|已用完|耗尽)",
        ),
    ),
    (
        _AUTHENTICATION,
        _any(
            (
                r"api[ _-]?key(?: is)?(?: not valid|[ :]invalid| expired| missing| not found| revoked| disabled|"
                r" deactivated|"
                r" (?:does not|doesn'?t) exist)"
            ),
            (
                r"(?:invalid|incorrect|wrong|bad|missing|expired|unknown|revoked|valid|"
                r"no) (?:\w+ ){0,2}(?:x-)?api[ _-]?(?:key|token)\b"
            ),
            (
                r"invalid (?:authentication|authorization|auth|credentials|access token|bearer token|"
                r"username or password|subscription key|proxy server token|organization|project)"
            ),
            r"invalid subscription key",
            r"authentication (?:fails?|failed|error|is required|required)",
            r"authorization failed",
            r"unauthori[sz]ed",
            r"no auth credentials",
            r"not authenticated",
            r"credentials (?:were )?not provided",
            r"security token .{0,30}invalid",
            (
                r"(?:access|oauth|bearer|auth|api|session|id) token (?:is |was |has )?(?:missing|invalid|expired|"
                r"no longer)"
            ),
            r"account\b.{0,60}\b(?:deactivated|terminated|banned|disabled|suspended|locked)",
            r"access (?:was|has been) terminated",
            r"(?:organization|project|workspace|team)\b.{0,40}\b(?:disabled|deactivated|archived|suspended)",
            r"no such (?:organization|project)",
            r"(?:organization|project) .{0,60}(?:does not exist|not found)",
            r"member of an organization",
            (
                r"(?:country|region|territory|location)\b.{0,40}\b(?:not supported|unsupported|not available|"
                r"restricted)"
            ),
            r"not (?:supported|available) in (?:your|this) (?:country|region|location)",
            r"(?:unsupported|wrong|incorrect) (?:country|region)",
            r"unregistered callers",
            r"permission denied",
            r"\btenant\b[^.!?]{0,60}\b(?:not match|not found|mismatch|disabled)",
            r"does not have (?:the )?(?:required )?permissions?",
            r"insufficient permissions",
            r"invalid api token",
            r"invalid auth[ _]?key",
            r"carry the api (?:secret )?key",
            r"(?:organization|account|project) .{0,20}restricted",
            "无效的(?:令牌|api|密钥)|身份验证失败|鉴权失败|令牌(?:已过期|无效)",
        ),
    ),
    (
        _NOT_FOUND,
        _any(
            (
                rf"{_MODEL}(?:does not exist|doesn'?t exist|not exist|not found|could not be found|is not available|"
                r"not available|is unavailable|is not loaded|not loaded|has been (?:\w+ )?(?:deprecated|"
                r"decommissioned|retired|discontinued|removed|shut down)|is (?:deprecated|retired|no longer))"
            ),
            r"models?[/\w.:\-]* is not (?:found|supported)",
            r"\bnot (?:in|among|one of) (?:the )?(?:list of )?(?:available|supported|served|loaded|known) models",
            r"does not support (?:the )?chat\b",
            rf"{_MODEL}(?:cannot|can'?t|can not|may not) be used with\b",
            r"\b(?:requires? (?:terms )?acceptance|accept (?:the|its) (?:terms|licen[cs]e))\b",
            r"\bversion\b[^.!?]{0,40}\b(?:does not exist|not found|not permitted)",
            r"\bhttp request (?:was )?(?:sent )?to (?:an? )?https\b",  # of a server that wants another address
            r"\bmodel:? ['\"`]?[\w./:\-]+['\"`]? is not supported",
            r"(?:unknown|invalid|no such|unavailable|unrecognized) model\b(?! parameter)",
            r"invalid model (?:name|id)",
            r"not a valid model",
            r"unable to access model",
            r"model identifier is invalid",
            r"not found the model",
            r"no models? loaded",
            r"unexpected endpoint",  # LM Studio, of an address without /v1
            r"model .{1,80} is not supported by",
            "模型不存在|无可用渠道",
            r"(?:does not|doesn'?t|do not|don'?t) have access to (?:the )?model",
            r"not allowed to (?:sample|access)",
            r"must be verified to use the model",
            r"no available channel",
            r"\bno (?:\w+ )?(?:providers?|channels?|backends?|deployments?) (?:is |are )?(?:available|found) for\b",
            r"llm provider not provided",
            r"no endpoints? found",
            r"no allowed providers",
            r"not a chat model",
            r"only supported in v1/responses",
            r"operation does not work with the specified model",
            r"on-demand throughput isn.t supported",
            r"deployment .{0,60}(?:does not exist|not found)",
            r"api version .{0,40}(?:not supported|invalid|unsupported)",
            r"api-version.{0,40}(?:required|missing)",
        ),
    ),
    (
        _TOO_LONG,
        _any(
            r"context (?:length|window|size)",
            r"maximum.{0,20} length",
            r"prompt is too long",
            r"too many (?:\w+ ){0,3}(?:tokens|characters|bytes)(?! per)",
            r"\bmessages\.[\w.]*content: [^.!?]{0,60}\bat most \d+ (?:characters|tokens|bytes)",
            rf"\b(?:prompt|input)(?: |_)?tokens\b[^.!?]{{0,60}}>=? (?:the )?{_MEASURE}",
            r"input (?:is )?too long",
            r"reduce the length",
            r"input token count .{0,40}exceeds",
            r"request too large",
            r"range of input length",
            r"max(?:imum)? input (?:characters|tokens|length|size)",
            r"input length .{0,40}exceed",
            r"exceeds? (?:the )?(?:model'?s )?max(?:imum)? (?:\w+ )?tokens",
            r"`?inputs`? tokens \+ `?max_new_tokens",
            # What was sent, beyond a limit. A sentence about the bound on the answer alone is none of these.
            rf"{_SENT}\b{_NEAR}\b(?:exceed\w*|too (?:long|large|big)|longer than|larger than|over)\b{_NEAR}{_MEASURE}",
            rf"{_MEASURE}{_NEAR}\b(?:exceed\w*|longer than|larger than)\b{_NEAR}\b(?:limit|max\w*|context|window)",
            rf"\b(?:prompt|input)s?\b{_NEAR}{_MEASURE}{_NEAR}\b(?:exceed\w*|(?:long|larg|great)er than|more than)\b"
            rf"{_NEAR}\b\d",
            r"\b(?:prompt|inputs?|input_tokens|query|messages?) (?:(?:is|are|was|were) )?too (?:long|large|big)",
            rf"(?:{_SENT}|\blength)\b{_NEAR}\b(?:must|should|can|may|cannot)(?: not| only)?(?: be| have)? "
            rf"(?:<=?|less than|fewer than|at most|under|below|exceed|more than)\b{_NEAR}{_MEASURE}",
            "(?:超长|过长|超出.{0,12}(?:长度|上限|限制)|超过.{0,12}(?:长度|上下文|tokens?))",
        ),
    ),
    (
        _FILTER,
        _any(
            r"\bmoderation\b",
            r"\bflagged\b",
            r"content (?:management|filter)",
            r"responsible ai",
            r"inappropriate content",
            r"safety (?:system|policy|reasons|filter)",
            r"violat\w+ .{0,40}(?:polic|guideline|terms)",
            "(?:不安全|敏感|违规|不当)(?:或\\w+)?内容",
            r"sensitive (?:information|content|words?|material|topics?)",
            r"_sensitive\b",  # MiniMax: "input new_sensitive"
            r"(?:content|high|security) (?:\w+ )?risk|risk (?:content|control)|considered high risk",
            r"(?:unsafe|harmful|prohibited|disallowed|objectionable|offensive|illegal) (?:content|prompt|input)",
            r"(?:blocked|rejected|refused|filtered) (?:by|due to|because of|for) .{0,40}(?:safety|polic|guardrail)",
            r"(?:usage|content|acceptable use) polic",
            r"safety[ _]check",
            r"\b(?:prompt|content|input|message|response|output)s?\b[^.!?]{0,60}\b(?:was|were|is|been) "
            r"(?:blocked|filtered)\b",
            r"guardrails?\b[^.!?]{0,60}\b(?:failed|triggered|blocked|violated|intervened|rejected|denied)",
            "(?:敏感词|敏感信息|内容(?:审核|安全|违规)|风险)",
        ),
    ),
    (
        _LIMITED,
        _any(
            r"\brate[ -]?limit",
            r"too many (?:requests|concurrent|calls)",
            r"too (?:frequent|fast)\b|requests? too often",
            r"\b(?:qps|rpm|tpm|tps)\b.{0,40}(?:limit|exceed|reached)|qps\s?overflow",
            r"(?:requests?|tokens?|calls) per (?:second|minute)",
            r"(?:concurren\w+|requests?) (?:\w+ )?(?:limit|quota) (?:is |was |has been )?(?:reached|exceeded)",
            r"throttl(?:ed|ing)",
            "(?:限流|频率|并发|请求过多|请求过于频繁|速率限制)",
        ),
    ),
    (
        FailureKind.SERVER,
        _any(
            r"(?:temporarily|currently|momentarily) (?:unavailable|overloaded|busy|loading|at capacity|not available)",
            r"(?:server|service|system|engine|model|cluster|backend|upstream|worker) (?:is |was )?(?:too |currently )?"
            r"(?:busy|overloaded|restarting|starting)",
            r"under maintenance|maintenance mode",
            r"(?:is|still|currently) (?:being loaded|loading|warming up|starting)\b",
            r"degraded function|no healthy (?:upstream|deployment|backend|instance|worker)s?",
            r"upstream (?:connect )?(?:error|failure|timed? ?out)",
            r"\b(?:model|process|worker|runner|engine|backend)\b.{0,20}\b(?:unloaded|crashed|died|terminated)\b",
            r"internal (?:server )?error|internal failure|unexpected error|something went wrong",
            r"(?:try|retry) (?:again|your request|the request) (?:\w+ )?(?:later|shortly|soon|in a (?:moment|while))",
            r"\btimed? ?out\b|deadline exceeded",
            "(?:系统|服务|服务器)(?:繁忙|异常|内部错误)|稍后(?:再试|重试)|访问量过大",
        ),
    ),
)
# Words that mean what they say beside any status: servers on one's own machine, and routers, say so with 500.
CERTAIN: tuple[tuple[FailureKind, re.Pattern[str]], ...] = (
    (_QUOTA, _any(r"insufficient (?:\w+ )?(?:balance|credits?|funds)\b|credit balance is too low|余额不足|欠费")),
    (
        _TOO_LONG,
        _any(
            r"maximum context",
            r"context (?:length|window|size)\b.{0,80}exceed|exceed\w*\b.{0,60}context (?:length|window|size)",
            r"(?:prompt|input) (?:is )?too long|too (?:long|large) for (?:the )?(?:model|context)",
            r"(?:prompt|input) length\b.{0,40}\bexceed",
        ),
    ),
    (_NOT_FOUND, _any(r"\bmodel (?:['\"`\\]+[\w./:\-]+['\"`\\]+ )?(?:was )?not found")),
    (
        FailureKind.BAD_REQUEST,  # the chat template's: it takes no such messages, however often they are sent
        _any(r"\bjinja\b|raise_exception", r"conversation roles must alternate|system role (?:is )?not supported"),
    ),
)
CUT_OFF = _any(r"could not finish the message because max_tokens")  # OpenAI's, of thinking that took all
ALLOCATED = _any(r"allocated quota exceeded")  # DashScope's, of a minute's tokens, under the code of a spent quota
LATER = _any(
    r"per[ -](?:day|week|month)\b|\b(?:rpd|tpd)\b|/ ?(?:day|month)\b",
    r"(?:daily|weekly|monthly) (?:\w+ )?(?:limit|quota|cap|budget|allowance)",
)
SOON = _any(r"per[ -](?:second|minute)\b", r"/ ?(?:sec|min|minute)\b", r"\b(?:rpm|tpm|rps|qps)\b")
GOOGLE_DAILY = re.compile(r"_per_day")
NO_ROUTE_YET = "/-/routes for available routes"  # Ray Serve's words when its proxy has just started
# Where words are read: elsewhere the status says it all. 412 is Fireworks' for a suspended account.
WORDED = frozenset({400, 401, 402, 403, 404, 405, 406, 410, 412, 422, 424, 451})
NOTHING_LEFT = _any(r"\blimit: 0\b")  # Google's, of what an account does not have at all, however long it waits
