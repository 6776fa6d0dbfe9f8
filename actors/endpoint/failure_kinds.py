"""What an error response means: a kind of failure, and what that says about the endpoint.

Owns: the tables of codes, statuses and words, in the spellings that providers publish.

Invariants
- A kind is told by the endpoint's own codes first, then by its words, then by its status.
- Words count only as far as they are the endpoint's: what an error repeats of the request is left out before.
- What every request would meet alike is told apart from what is one request's own, so that a run stops after a few.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping

from actors.endpoint.error_responses import ErrorResponse, code_of
from actors.limits.rate_limits import LeaseOutcome
from reasoning.teacher.calls import FailureKind

_QUOTA = FailureKind.QUOTA
_AUTHENTICATION = FailureKind.AUTHENTICATION
_NOT_FOUND = FailureKind.NOT_FOUND
_TOO_LONG = FailureKind.CONTEXT_TOO_LONG
_FILTER = FailureKind.CONTENT_FILTER

_CODES: Mapping[FailureKind, str] = {
    _QUOTA: """
        insufficient_quota insufficient_user_quota insufficient_balance insufficient_credits insufficient_funds
        billing_hard_limit_reached billing_limit_reached billing_not_active billing_disabled billing_error
        organization_usage_limit_exceeded organization_spend_limit_exceeded project_spend_limit_exceeded
        exceeded_current_quota_error exceeded_budget budget_exceeded credit_limit payment_required
        arrearage allocation_quota_free_tier_only access_denied_unpurchased quota_value_0 1113 30001""",
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
        missing_api_version_parameter 20012""",
    _TOO_LONG: """
        context_length_exceeded string_above_max_length exceed_context_size_error context_window_exceeded
        prompt_too_long request_too_large""",
    _FILTER: """
        content_filter content_policy_violation responsible_aipolicy_violation responsible_ai_policy_violation
        data_inspection_failed moderation_blocked invalid_prompt content_filtered safety""",
    # A parameter, whatever the words say of the model; and a question that a recorded teacher does not have.
    FailureKind.BAD_REQUEST: """
        unsupported_parameter unsupported_value unknown_parameter extra_forbidden question_not_recorded""",
}
_KIND_OF_CODE = {code: kind for kind, codes in _CODES.items() for code in codes.split()}
# These mean what they say also beside a status of 5xx, which routers give to what will not pass by itself.
_WHATEVER_THE_STATUS = frozenset(
    {
        *("insufficient_user_quota", "insufficient_balance", "insufficient_credits"),
        *("invalid_api_key", "incorrect_api_key", "api_key_invalid", "model_not_found"),
    }
)
# Given by some endpoints to errors of many kinds: the words tell more.
_VAGUE = frozenset({"permission_denied", "permission_error", "authentication_error", "unauthorized", "not_found_error"})

_KIND_OF_STATUS = {
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
    429: FailureKind.RATE_LIMITED,
    451: _AUTHENTICATION,  # a region's
    498: FailureKind.SERVER,  # Groq: no capacity left
    499: FailureKind.SERVER,  # a gateway whose own connection was closed
}


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


_MODEL = r"model\b[^.!?]{0,100}"
_WORDS: tuple[tuple[FailureKind, re.Pattern[str]], ...] = (
    (
        _QUOTA,
        _any(
            r"credit balance is too low",
            (
                r"(?:balance|credits?|funds|quota) (?:(?:is|are|has been|have been) )?(?:insufficient|"
                r"not enough|too low|exhausted|depleted|used up|negative)"
            ),
            (
                r"(?:insufficient|not enough|no remaining|out of|ran out of|run out of) (?:\w+ )?(?:credits?|balance|"
                r"funds|quota)\b"
            ),
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
            r"(?:spend(?:ing)?|usage|monthly|budget) limits?\b.{0,20}(?:reached|exceeded|hit)",
            (
                r"(?:reached|exceeded|hit|over|reaching)\b.{0,40}\b(?:(?:spend(?:ing)?|api usage|usage|monthly|"
                r"budget) limit|budget)"
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
            "余额不足|账户余额|欠费|无可用资源包|额度(?:不足|已用尽|已用完|耗尽)",
        ),
    ),
    (
        _AUTHENTICATION,
        _any(
            (
                r"api[ _-]?key(?: is)?(?: not valid|[ :]invalid| expired| missing| not found| revoked| disabled|"
                r" deactivated)"
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
            r"access token is missing",
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
            r"the model ['\"`]?[\w./:\-]+['\"`]? is not supported",
            r"(?:unknown|invalid|no such|unavailable|unrecognized) model\b(?! parameter)",
            r"invalid model (?:name|id)",
            r"not a valid model",
            r"unable to access model",
            r"model identifier is invalid",
            r"not found the model",
            r"no models? loaded",
            r"model .{1,80} is not supported by",
            "模型不存在|无可用渠道",
            r"(?:does not|doesn'?t|do not|don'?t) have access to (?:the )?model",
            r"not allowed to (?:sample|access)",
            r"must be verified to use the model",
            r"no available channel",
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
            r"too many tokens(?! per)",
            r"input (?:is )?too long",
            r"reduce the length",
            r"input token count .{0,40}exceeds",
            r"request too large",
            r"range of input length",
            r"input length .{0,40}exceed",
            r"exceeds? (?:the )?(?:model'?s )?max(?:imum)? (?:\w+ )?tokens",
            r"`?inputs`? tokens \+ `?max_new_tokens",
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
            r"violat\w+ .{0,40}(?:polic|guideline)",
            "(?:不安全|敏感|违规|不当)(?:或\\w+)?内容",
        ),
    ),
)
_LATER = _any(
    r"per[ -](?:day|week|month)\b|\b(?:rpd|tpd)\b|/ ?(?:day|month)\b",
    r"(?:daily|weekly|monthly) (?:\w+ )?(?:limit|quota|cap)",
)
_GOOGLE_DAILY = re.compile(r"_per_day")
_NO_ROUTE_YET = "/-/routes for available routes"  # Ray Serve's words when its proxy has just started
# Where words are read: elsewhere the status says it all. 412 is Fireworks' for a suspended account.
_WORDED = frozenset({400, 401, 402, 403, 404, 405, 406, 410, 412, 422, 424, 451})


def failure_kind(error: ErrorResponse, asked: Iterable[str] = ()) -> FailureKind:
    """What an error response means. `asked` are the texts of the request, which an error may repeat."""
    said = own_words(error.message, asked)
    if error.status == 429:
        return _refused_for_now(error, said)
    known = [code for code in _codes(error) if code in _KIND_OF_CODE and code not in _VAGUE]
    by_code = next((code for code in known if error.status < 500 or code in _WHATEVER_THE_STATUS), None)
    if by_code is not None:
        return _KIND_OF_CODE[by_code]
    if error.status == 404 and _NO_ROUTE_YET in error.message:
        return FailureKind.SERVER
    if 300 <= error.status < 400:
        return _NOT_FOUND
    worded = _by_words(said, error.status) if error.status in _WORDED or error.status < 300 else None
    if worded is not None:
        return worded
    vague = [_KIND_OF_CODE[code] for code in _codes(error) if code in _VAGUE]
    if error.status in _KIND_OF_STATUS:
        return _KIND_OF_STATUS[error.status]
    if error.status >= 500:
        return FailureKind.SERVER
    return vague[0] if vague else FailureKind.BAD_REQUEST


def _codes(error: ErrorResponse) -> Iterator[str]:
    """The codes that it gives, its own first."""
    yield from (code_of(code) for code in (error.code, error.type) if code)
    yield from sorted(error.codes)


def _by_words(said: str, status: int) -> FailureKind | None:
    for kind, words in _ordered(status):
        if words.search(said):
            return kind
    return None


def _ordered(status: int) -> Iterable[tuple[FailureKind, re.Pattern[str]]]:
    """The request's own faults first where the status is that of a bad request; a refused key or purse says little of a
    prompt, so there last."""
    if status in (401, 402, 403, 404, 410, 412):
        return _WORDS
    return (*_WORDS[3:4], *_WORDS[:3], *_WORDS[4:])


def _refused_for_now(error: ErrorResponse, said: str) -> FailureKind:
    """What a 429 means: to slow down, or that nothing more is to be had."""
    if any(_GOOGLE_DAILY.search(code) for code in error.codes) or "quota_value_0" in error.codes:
        return _QUOTA  # Google's hint is for the minute, whatever was used up
    if any(_KIND_OF_CODE.get(code) is _QUOTA for code in _codes(error)):
        return _QUOTA
    if error.retry_after_s is not None:
        return FailureKind.RATE_LIMITED
    if re.search(r"request too large", said, re.IGNORECASE):
        return FailureKind.BAD_REQUEST  # larger than a whole minute's tokens
    if _WORDS[0][1].search(said) or _LATER.search(said):
        return _QUOTA
    deactivated = _AUTHENTICATION in [_KIND_OF_CODE.get(code) for code in _codes(error)]
    return _AUTHENTICATION if deactivated else FailureKind.RATE_LIMITED


# The request in an error --------------------------------------------------------------------------------------------

_SHINGLE = 4  # words in a row that the request has too are the request's
_TOKEN = re.compile(r"\w+")


def own_words(message: str, asked: Iterable[str]) -> str:
    """`message` without what it repeats of the texts `asked`."""
    texts = [text for text in asked if text.strip()]
    for text in texts:
        for form in (text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]):
            if len(form) > 3:
                message = message.replace(form, " … ")
    known: set[tuple[str, ...]] = set()
    for text in texts:
        words = [word.lower() for word in _TOKEN.findall(text)]
        known.update(tuple(words[at : at + _SHINGLE]) for at in range(len(words) - _SHINGLE + 1))
    if not known:
        return message
    found = list(_TOKEN.finditer(message))
    words = [one.group().lower() for one in found]
    theirs = {
        at + offset
        for at in range(len(words) - _SHINGLE + 1)
        if tuple(words[at : at + _SHINGLE]) in known
        for offset in range(_SHINGLE)
    }
    if not theirs:
        return message
    kept, end = [], 0
    for at, one in enumerate(found):
        kept.append(message[end : one.start()])
        kept.append("…" if at in theirs else one.group())
        end = one.end()
    return "".join([*kept, message[end:]])


def outcome_of(kind: FailureKind) -> LeaseOutcome:
    """What a failure says about its endpoint. One of the request's own says that the endpoint lives."""
    if kind is FailureKind.RATE_LIMITED:
        return LeaseOutcome.RATE_LIMITED
    if kind is FailureKind.BAD_REQUEST:
        return LeaseOutcome.REFUSED
    if kind.endpoint_wide:
        return LeaseOutcome.BROKEN
    down = kind in (FailureKind.TRANSPORT, FailureKind.TIMEOUT, FailureKind.SERVER)
    return LeaseOutcome.FAILED if down else LeaseOutcome.DONE
