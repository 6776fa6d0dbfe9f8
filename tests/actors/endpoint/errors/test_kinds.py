"""What an error response means, in whatever words: providers' published and reported bodies, and their opposites."""

# ruff: noqa: E501 (a body a line)
from __future__ import annotations

import json

import pytest

from actors.endpoint.errors.kinds import failure_kind
from actors.endpoint.errors.responses import read_error_response
from actors.endpoint.wire import Response
from reasoning.teacher.calls import FailureKind

QUOTA, AUTH, NOT_FOUND = FailureKind.QUOTA, FailureKind.AUTHENTICATION, FailureKind.NOT_FOUND
BAD, LONG, FILTER = FailureKind.BAD_REQUEST, FailureKind.CONTEXT_TOO_LONG, FailureKind.CONTENT_FILTER
LIMITED, SERVER = FailureKind.RATE_LIMITED, FailureKind.SERVER


def openai(message: str, code: object = None, type: str | None = None, param: str | None = None) -> object:
    return {"error": {"message": message, "type": type, "param": param, "code": code}}


def google(code: int, message: str, status: str, *details: object) -> object:
    return [{"error": {"code": code, "message": message, "status": status, "details": list(details)}}]


def violation(id: str, value: str = "15") -> object:
    return {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{"quotaId": id, "quotaValue": value}],
    }


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "38s"}
KEY_INVALID = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
GEMINI_QUOTA = "You exceeded your current quota, please check your plan and billing details."

CASES = [
    # the key, its account, its region
    (401, openai("Incorrect API key provided: sk-abc. You can find your API key at ...", "invalid_api_key"), AUTH),
    (401, openai("You must be a member of an organization to use the API", None, "invalid_request_error"), AUTH),
    (401, openai("No such organization: org-123.", "invalid_organization"), AUTH),
    (401, openai("The OpenAI account associated with this API key has been deactivated.", "account_deactivated"), AUTH),
    (403, openai("Country, region, or territory not supported", "unsupported_country_region_territory"), AUTH),
    (400, google(400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT", KEY_INVALID), AUTH),
    (400, google(400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT"), AUTH),
    (400, google(400, "API key expired. Please renew the API key.", "INVALID_ARGUMENT"), AUTH),
    (400, google(400, "User location is not supported for the API use.", "FAILED_PRECONDITION"), AUTH),
    (403, google(403, "Method doesn't allow unregistered callers.", "PERMISSION_DENIED"), AUTH),
    (401, {"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}}, AUTH),
    (400, {"type": "error", "error": {"type": "invalid_request_error", "message": "This organization has been disabled."}}, AUTH),
    (403, {"error": {"type": "forbidden", "message": "Request not allowed"}}, AUTH),
    (400, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: gr***y. ..."}, AUTH),
    (401, {"error": {"message": "No auth credentials found", "code": 401}}, AUTH),
    (401, {"error": {"message": "User not found.", "code": 401}}, AUTH),
    (401, {"error": "Unauthorized"}, AUTH),
    (401, {"detail": "Unauthorized"}, AUTH),
    (401, "Invalid token", AUTH),
    (401, {"error": {"code": 401, "message": "Invalid API Key", "type": "authentication_error"}}, AUTH),
    (401, openai("Authentication Fails, Your api key: ****abcd is invalid", "invalid_request_error", "authentication_error"), AUTH),
    (401, {"error": {"code": "401", "message": "Access denied due to invalid subscription key or wrong API endpoint."}}, AUTH),
    (401, {"statusCode": 401, "message": "Unauthorized. Access token is missing, invalid, audience is incorrect."}, AUTH),
    (403, {"error": {"code": "403", "message": "Access denied due to Virtual Network/Firewall rules."}}, AUTH),
    (400, {"message": "Invalid API key", "request_id": "1"}, AUTH),
    (400, {"code": "Client specified an invalid argument", "error": "Incorrect%20API%20key%20provided:%20a***z."}, AUTH),
    (400, openai("Organization has been restricted. Please reach out to support.", "organization_restricted"), AUTH),
    (400, openai("无效的API密钥"), AUTH),
    (401, openai("身份验证失败。", "1000"), AUTH),
    (401, openai('{"type":"error","error":{"message":"login fail: Please carry the API secret key in the header"}}'), AUTH),
    (500, openai("Internal error", "invalid_api_key"), AUTH),
    (451, openai("Unavailable For Legal Reasons"), AUTH),
    (407, "<html>Proxy Authentication Required</html>", AUTH),
    (403, {"message": "The security token included in the request is invalid."}, AUTH),
    (429, openai("Your access was terminated due to violation of our policies", "access_terminated"), AUTH),
    # the purse
    (429, openai("You exceeded your current quota, please check your plan and billing details.", "insufficient_quota"), QUOTA),
    (429, openai("You exceeded your current quota, please check your plan and billing details."), QUOTA),
    (429, openai("Your account is not active, please check your billing details on our website.", "billing_not_active"), QUOTA),
    (400, openai("Billing hard limit has been reached", "billing_hard_limit_reached"), QUOTA),
    (400, openai("Billing hard limit has been reached"), QUOTA),
    (403, openai("Key limit exceeded (total limit). Manage it using https://router.example/settings/keys", 403), QUOTA),
    (403, openai("token quota is not enough, token remain quota: $0.1, need quota: $1"), QUOTA),
    (403, openai("用户额度不足, 剩余额度: $0.00"), QUOTA),
    (403, openai("该令牌额度已用尽"), QUOTA),
    (503, openai("user quota is not enough", "insufficient_user_quota"), QUOTA),
    (503, openai("当前分组 default 下对于模型 m 无可用渠道", "model_not_found"), NOT_FOUND),
    (400, openai("模型不存在，请检查模型代码。", "1211"), NOT_FOUND),
    (400, {"error": "Model m is not supported by provider p"}, NOT_FOUND),
    (405, {"detail": "Method Not Allowed"}, NOT_FOUND),
    (400, openai("系统检测到输入或生成内容可能包含不安全或敏感内容", "1301"), FILTER),
    (503, openai("The model is not loaded yet", "model_not_available"), SERVER),
    (500, openai("Insufficient system memory"), SERVER),
    (400, {"error": {"type": "invalid_request_error", "message": "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing"}}, QUOTA),
    (400, {"error": {"type": "invalid_request_error", "message": "You have reached your specified API usage limits. You will regain access on 2026-12-01."}}, QUOTA),
    (402, openai("Insufficient Balance", "invalid_request_error", "unknown_error"), QUOTA),
    (402, {"error": {"message": "This request requires more credits, or fewer max_tokens.", "code": 402}}, QUOTA),
    (402, {"error": "You have exceeded your monthly included credits for Inference Providers."}, QUOTA),
    (402, "Payment Required", QUOTA),
    (403, {"code": "The caller does not have permission", "error": "Your newly created team doesn't have any credits yet."}, QUOTA),
    (429, {"code": "Some resource has been exhausted", "error": "Your team has either used all available credits or reached its monthly spending limit."}, QUOTA),
    (412, {"error": "Account x is suspended, possibly due to reaching the monthly spending limit."}, QUOTA),
    (400, openai("Access denied, please make sure your account is in good standing.", "Arrearage", "Arrearage"), QUOTA),
    (403, openai("The free tier of the model has been exhausted.", "AllocationQuota.FreeTierOnly"), QUOTA),
    (403, {"code": 30001, "message": "Sorry, your account balance is insufficient", "data": None}, QUOTA),
    (429, {"error": {"code": "1113", "message": "余额不足或无可用资源包,请充值。"}}, QUOTA),
    (429, openai("Your account is suspended, please check your plan and billing details", None, "exceeded_current_quota_error"), QUOTA),
    (400, openai("Budget has been exceeded! Current cost: 12.0, Max budget: 10.0", "400", "budget_exceeded"), QUOTA),
    (403, {"error": {"message": "user quota is not enough", "code": "insufficient_user_quota"}}, QUOTA),
    (429, google(429, GEMINI_QUOTA, "RESOURCE_EXHAUSTED", violation("GenerateRequestsPerDayPerProjectPerModel-FreeTier"), RETRY), QUOTA),
    (429, google(429, GEMINI_QUOTA, "RESOURCE_EXHAUSTED", violation("GenerateRequestsPerMinutePerProjectPerModel", "0"), RETRY), QUOTA),
    (403, {"message": "Your project has been suspended for non-payment"}, QUOTA),
    (412, {"error": {"message": "account balance insufficient"}}, QUOTA),
    (403, {"error": {"message": "Access paused: your last invoice is past due."}}, QUOTA),
    (400, {"message": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 3900 and 500"}, LONG),
    (429, {"message": "You are using a Trial key, which is limited to 1000 API calls / month."}, QUOTA),
    # the model and the address
    (404, openai("The model `gpt-9` does not exist or you do not have access to it.", "model_not_found"), NOT_FOUND),
    (400, openai("The model gpt-9 does not exist.", "model_not_found"), NOT_FOUND),
    (403, openai("Project `proj_1` does not have access to model `gpt-9`", "model_not_found"), NOT_FOUND),
    (403, openai("Project `proj_1` does not have access to model `gpt-9`"), NOT_FOUND),
    (400, openai("Model Not Exist", "invalid_request_error", "invalid_request_error"), NOT_FOUND),
    (400, {"error": {"message": "gpt-9 is not a valid model ID", "code": 400}}, NOT_FOUND),
    (404, {"error": {"message": "No endpoints found for some/model.", "code": 404}}, NOT_FOUND),
    (400, {"object": "error", "message": "Invalid model: foo", "type": "invalid_model", "code": "1500"}, NOT_FOUND),
    (400, {"object": "error", "message": "Invalid model: foo", "code": "1500"}, NOT_FOUND),
    (400, {"code": 20012, "message": "Model does not exist. Please check it carefully."}, NOT_FOUND),
    (404, {"error": {"code": "DeploymentNotFound", "message": "The API deployment for this resource does not exist."}}, NOT_FOUND),
    (400, {"error": {"code": "unavailable_model", "message": "Unavailable model: x"}}, NOT_FOUND),
    (400, {"error": "No models loaded. Please load a model in the developer page."}, NOT_FOUND),
    (400, {"message": "The provided model identifier is invalid."}, NOT_FOUND),
    (400, openai("The model `llama3-70b` has been decommissioned and is no longer supported.", "model_decommissioned"), NOT_FOUND),
    (400, openai("/chat/completions: Invalid model name passed in model=x. Call `/v1/models` to view", "400"), NOT_FOUND),
    (400, openai("This is not a chat model and thus not supported in the v1/chat/completions endpoint."), NOT_FOUND),
    (404, google(404, "models/gemini-9 is not found for API version v1main", "NOT_FOUND"), NOT_FOUND),
    (404, "404 page not found", NOT_FOUND),
    (400, openai("Unable to access model x/y. Please visit https://api.together.ai/models"), NOT_FOUND),
    # for now
    (429, google(429, GEMINI_QUOTA, "RESOURCE_EXHAUSTED", violation("GenerateRequestsPerMinutePerProjectPerModel-FreeTier"), RETRY), LIMITED),
    (429, [{"error": {"code": 429, "message": "Resource has been exhausted (e.g. check quota).", "status": "RESOURCE_EXHAUSTED"}}], LIMITED),
    (429, openai("Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29000. Please try again in 6ms.", "rate_limit_exceeded", "tokens"), LIMITED),
    (429, openai("Rate limit reached for model on tokens per day (TPD): Limit 500000. Please try again in 3m30.5s.", "rate_limit_exceeded", "tokens"), LIMITED),
    (429, {"error": {"code": "429", "message": "Requests have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 6 seconds."}}, LIMITED),
    (429, {"message": "Requests rate limit exceeded"}, LIMITED),
    (429, {"type": "error", "error": {"type": "rate_limit_error", "message": "Number of request tokens has exceeded your per-minute rate limit"}}, LIMITED),
    (503, openai("The server is overloaded", "insufficient_quota"), SERVER),
    (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, SERVER),
    # one request's own
    (400, openai("This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.", "context_length_exceeded"), LONG),
    (400, {"object": "error", "message": "This model's maximum context length is 4096 tokens.", "type": "BadRequestError", "code": 400}, LONG),
    (413, openai("Request too large for model", "rate_limit_exceeded", "tokens"), LONG),
    (400, {"error": {"code": 400, "message": "the request exceeds the available context size", "type": "exceed_context_size_error"}}, LONG),
    (400, {"error": {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens > 200000 maximum"}}, LONG),
    (400, openai("The response was filtered due to the prompt triggering Azure OpenAI's content management policy.", "content_filter", None, "prompt"), FILTER),
    (400, openai("Input data may contain inappropriate content.", "data_inspection_failed"), FILTER),
    (403, {"error": {"message": "Input was flagged", "code": 403, "metadata": {"reasons": ["violence"], "flagged_input": "Incorrect API key"}}}, FILTER),
    (400, openai("Invalid value for 'messages': expected an array."), BAD),
    (422, {"detail": [{"type": "missing", "loc": ["body", "messages"], "msg": "Field required", "input": {"q": "invalid api key"}}]}, BAD),
    (400, openai("The model does not know it: 'top_k' is not available", "unsupported_parameter", None, "top_k"), BAD),
    (400, openai("Invalid token at line 1 column 7 of the JSON body"), BAD),
    (400, "", BAD),
    # the purse, in words of other clouds and gateways
    (200, {"error_code": 17, "error_msg": "Open api daily request limit reached"}, QUOTA),
    (200, {"code": "InsufficientBalance", "message": "please top up"}, QUOTA),
    (403, openai("The request failed because your account has an overdue balance.", "AccountOverdueError"), QUOTA),
    (429, openai("Your account has reached the set inference limit for the model.", "SetLimitExceeded"), QUOTA),
    (403, {"errors": [{"code": "token_quota_reached", "message": "The quota for the number of tokens has been reached"}]}, QUOTA),
    (429, google(429, "Quota exceeded for metric: free_tier_requests, limit: 0", "RESOURCE_EXHAUSTED", RETRY), QUOTA),
    (429, openai("ExceededBudget: User=x over budget. Spend=11.0, Budget=10.0", "429"), QUOTA),
    (403, openai("This key has reached its spending cap"), QUOTA),
    (400, openai("You have exceeded your daily rate limit of 100 requests per day", "rate_limit_exceeded"), QUOTA),
    (400, openai("The API Key doesn't exist"), AUTH),
    (200, {"error_code": 110, "error_msg": "Access token invalid or no longer valid"}, AUTH),
    (400, openai("model `m` is not supported"), NOT_FOUND),
    # to slow down, beside a status that does not say it
    (429, openai("Allocated quota exceeded, please increase your quota limit.", "insufficient_quota"), LIMITED),
    (200, {"base_resp": {"status_code": 1002, "status_msg": "rate limit exceeded(RPM)"}}, LIMITED),
    (200, {"error_code": 18, "error_msg": "Open api qps request limit reached"}, LIMITED),
    (200, {"code": 429, "msg": "too many requests"}, LIMITED),
    (400, {"__type": "ThrottlingException", "message": "Too many tokens, please wait before trying again."}, LIMITED),
    (403, {"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}, LIMITED),
    (403, google(403, "User Rate Limit Exceeded", "PERMISSION_DENIED", {"reason": "userRateLimitExceeded"}), LIMITED),
    (503, openai("Slow down", None, "slow_down"), LIMITED),
    (400, openai("您的请求过于频繁，请稍后再试"), LIMITED),
    # what will pass, called a bad request
    (400, {"title": "Bad Request", "detail": "Function id 'x': DEGRADED function cannot be invoked"}, SERVER),
    (400, openai("The model is currently overloaded, please retry later"), SERVER),
    (400, openai("upstream connect error or disconnect/reset before headers"), SERVER),
    (400, openai("Internal error encountered."), SERVER),
    (400, openai("系统繁忙，请稍后再试"), SERVER),
    (400, openai("Could not finish the message because max_tokens or model output limit was reached."), FailureKind.TRUNCATED),
    # too long in other words, and sentences about the bound on the answer, which are not
    (400, openai("Your request exceeded model token limit: 8192 (requested: 9120)"), LONG),
    (400, {"code": 20015, "message": "length of prompt_tokens (41214) must be less than max_seq_len (32768)."}, LONG),
    (422, {"error": "Input validation error: `inputs` must have less than 1024 tokens. Given: 1200"}, LONG),
    (400, openai("prompt token count of 140000 exceeds the limit of 128000"), LONG),
    (400, openai("input_tokens too long. expected [1,28672]"), LONG),
    (400, openai("Your prompt is longer than the model can take (9000 > 8192 tokens)"), LONG),
    (400, openai("Prompt 超长", "1261"), LONG),
    (500, openai("litellm.ContextWindowExceededError: prompt is too long for the model", "500"), LONG),
    (500, openai("context size exceeded: 5000 > 4096"), LONG),
    (400, openai("max_tokens must be less than or equal to 8192"), BAD),
    (400, openai("max_completion_tokens exceeds the maximum of 32768 tokens for this model"), BAD),
    (400, openai("max_tokens is too large: 40000. This model supports at most 16384 completion tokens."), BAD),
    (400, openai("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]"), BAD),
    (422, {"detail": [{"loc": ["body", "top_logprobs"], "msg": "Input should be less than or equal to 20"}]}, BAD),
    (400, openai("Invalid 'seed': integer above maximum value. Expected a value <= 9223372036854775807"), BAD),
    # withheld, in other words
    (200, {"choices": None, "base_resp": {"status_code": 1026, "status_msg": "input new_sensitive"}}, FILTER),
    (400, openai("The input text may contain sensitive information.", "SensitiveContentDetected"), FILTER),
    (400, openai("Content Exists Risk", "invalid_request_error"), FILTER),
    (400, openai("The request was rejected because it was considered high risk"), FILTER),
    (400, openai("Your request was blocked by our safety system"), FILTER),
    (400, openai("内容审核不通过"), FILTER),
    # beside a status that says something else, as of routers and of servers on one's own machine
    (500, openai('litellm.APIConnectionError: OllamaException - {"error":"model \'qwen3\' not found"}'), NOT_FOUND),
    (400, openai("litellm.BadRequestError: LLM Provider NOT provided. You passed model=foo", "400"), NOT_FOUND),
    (500, openai("Error: Jinja Exception: After the optional system message, conversation roles must alternate"), BAD),
    (500, openai("System role not supported"), BAD),
    (400, {"error": "The model has crashed without additional information. (Exit code: 6)"}, SERVER),
    (400, {"error": "Model has unloaded or crashed."}, SERVER),
    (403, {"statusCode": 403, "message": "Out of call volume quota. Quota will be replenished in 2.17:22:00."}, QUOTA),
    (400, {"__type": "com.amazon.coral.service#ServiceQuotaExceededException", "message": "No."}, LIMITED),
    (400, {"__type": "com.amazonaws.bedrock#ThrottlingException", "message": "No."}, LIMITED),
    (200, {"error_code": 336003, "error_msg": "the max input characters is 4800"}, LONG),
    (400, openai("The requested model 'o9-pro' cannot be used with the Chat Completions API."), NOT_FOUND),
    (400, openai("The model `x` requires terms acceptance. Please have the org admin accept the terms"), NOT_FOUND),
    (400, openai('"m" does not support chat'), NOT_FOUND),
    (422, {"title": "Invalid version", "detail": "The specified version does not exist (or you may not use it)"}, NOT_FOUND),
    (400, openai("Tenant provided in token does not match resource tenant"), AUTH),
    (429, openai("You've reached the limit of 100 free requests. Please subscribe to continue."), QUOTA),
    (429, openai("Concurrency limit of 2 reached for your plan. Upgrade for more."), LIMITED),
    (400, openai("Model x is currently under maintenance."), SERVER),
    (400, openai("The prompt could not be processed because it violates our terms of service."), FILTER),
    (400, openai("Budget 0 is invalid. This model only works in thinking mode."), BAD),
    (400, openai("`max_tokens` must be less than or equal to `8192`, which is less than the `context_window`"), BAD),
    (429, openai("Daily token budget of this key is used up (500000/500000)"), QUOTA),
    (429, openai("Tokens per minute quota exhausted"), LIMITED),
    (429, openai("Your quota of 60 RPM is exhausted"), LIMITED),
    (400, openai("Project quota for this model is 0. Request an increase."), QUOTA),
    (400, openai("Tier 1 accounts may not use this model; add $5 to your balance."), QUOTA),
    (400, openai("OAuth token is expired; refresh it"), AUTH),
    (400, openai("The engine 'text-davinci-003' has been retired."), NOT_FOUND),
    (400, openai("No provider available for model z-ai/glm with these preferences"), NOT_FOUND),
    (400, openai("Prompt tokens (9120) + max_tokens (512) > context (8192)"), LONG),
    (422, {"detail": [{"loc": ["body", "messages", 0, "content"], "msg": "ensure this has at most 32000 characters"}]}, LONG),
    (400, openai("Too many total text bytes: 300000 > 200000"), LONG),
    (400, openai("Too many tokens per second, wait"), LIMITED),
    (400, openai("Prompt contains personal data and was blocked."), FILTER),
    (400, openai("No.", "content_blocked"), FILTER),
    (500, {"detail": "Model not found in the model list, uid: qwen"}, NOT_FOUND),
    (400, openai("Model 'x' not in available models: ['y']"), NOT_FOUND),
    (400, openai("The model `m` does not support Chat Completions API"), NOT_FOUND),
    (400, "Client sent an HTTP request to an HTTPS server.", NOT_FOUND),
    (400, "<html>The plain HTTP request was sent to HTTPS port</html>", NOT_FOUND),
    (400, {"message": "Bad request: rpc error: desc = prompt token count (9000) cannot exceed 8192."}, LONG),
    (400, {"message": "Bad request: max_tokens (10000) cannot exceed 8192."}, BAD),
    (446, openai("The guardrail checks defined in the config failed.", None, "hooks_failed"), FILTER),
    (400, openai("A guardrail of your organization was triggered"), FILTER),
    (500, {"type": "error", "error": {"type": "api_error", "message": "insufficient balance (1008)"}}, QUOTA),
    (200, {"error": "Unexpected endpoint or method. (POST /chat/completions)"}, NOT_FOUND),
    (400, openai("The model generated output that could not be parsed. Adjust your prompt.", "output_parse_failed"), SERVER),
    (400, openai("Tool choice is none, but model called a tool", "tool_use_failed"), SERVER),
    (400, openai("ExceededBudget: End User=u over budget. Spend=2, Budget=1", "400", "auth_error"), QUOTA),
    (429, openai("Crossed TPM / RPM / Max Parallel Request Limit", "429", "auth_error"), LIMITED),
    (401, openai("Authentication Error, invalid user key", "401", "auth_error"), AUTH),
    (400, openai("litellm.ContentPolicyViolationError: AzureException - The response was filtered"), FILTER),
    (400, openai("You passed in model=m. There are no healthy deployments for this model."), SERVER),
    (200, {"code": 11202, "message": "AppIdQpsOverFlowLimit", "sid": "1"}, LIMITED),
    (500, openai("预扣费额度失败, 用户剩余额度: 0.01", "pre_consume_token_quota_failed", "new_api_error"), QUOTA),
    (429, {"detail": "Quota exceeded and account balance is $0.0, please pay"}, QUOTA),
    (500, {"message": "Prompt length (5000) exceeds maximum input length (4096)."}, LONG),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "kind"), CASES, ids=[f"{n}-{case[0]}" for n, case in enumerate(CASES)])
def test_an_error_is_typed_in_whatever_words_it_comes(status: int, body: object, kind: FailureKind) -> None:
    content = body if isinstance(body, str) and body != "Invalid token" else json.dumps(body)
    assert failure_kind(read_error_response(Response(status, {}, str(content).encode()))) is kind


QUESTIONS = [
    "My bank says: insufficient funds, the credit balance is too low to buy 3 pens. How many can I buy?",
    "Which of these is an error? (A) 401 Incorrect API key provided (B) the model `x` does not exist",
    'Explain "You exceeded your current quota, please check your plan and billing details."',
    "The context length of a proof is 7 lines; it was flagged. How many remain?",
]


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("echo", ["{q}", "Invalid content: '{q}' (string)", "[{{'type': 'missing', 'input': '{q}'}}]"])
def test_words_of_the_question_that_an_error_repeats_are_not_the_endpoint_s(question: str, echo: str) -> None:
    body = openai(echo.format(q=question))
    assert failure_kind(read_error_response(Response(400, {}, json.dumps(body).encode())), [question]) is BAD
    cut = openai(echo.format(q=question[: len(question) * 2 // 3] + "..."))
    assert failure_kind(read_error_response(Response(400, {}, json.dumps(cut).encode())), [question]) is BAD


def test_a_question_elsewhere_in_an_error_s_body_is_not_read() -> None:
    body = {"error": {"message": "Bad request", "code": 400}, "request": {"messages": QUESTIONS}, "input": QUESTIONS[0]}
    read = read_error_response(Response(400, {}, json.dumps(body).encode()))
    assert failure_kind(read) is BAD and str(read) == "status 400: Bad request"


def test_what_an_endpoint_says_beside_the_question_counts() -> None:
    question = "How many pens can I buy for $3?"
    body = openai(f"Your credit balance is too low to answer: {question}")
    assert failure_kind(read_error_response(Response(400, {}, json.dumps(body).encode())), [question]) is QUOTA
