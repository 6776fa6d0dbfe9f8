"""Chat templates in the shapes in which families publish theirs, small and in our words, and tokenizers with them."""

from __future__ import annotations

from typing import Any

_CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
)
_BEGIN_CHATML = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

TEMPLATES: dict[str, str] = {
    "chatml": _CHATML + _BEGIN_CHATML,
    # A template that knows no generation prompt.
    "chatml-bare": _CHATML,
    "qwen2.5": (
        "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nYou help.<|im_end|>\\n' }}{% endif %}"
        + _CHATML
        + _BEGIN_CHATML
    ),
    "qwen3": (
        "{% for m in messages %}{% if m.role == 'assistant' %}{% set said = m.content %}{% set thought = '' %}"
        "{% if '</think>' in said %}{% set thought = said.split('</think>')[0].split('<think>')[-1].strip('\\n') %}"
        "{% set said = said.split('</think>')[-1].lstrip('\\n') %}{% endif %}"
        "{% if loop.last or thought %}{{ '<|im_start|>assistant\\n<think>\\n' + thought + '\\n</think>\\n\\n' + said }}"
        "{% else %}{{ '<|im_start|>assistant\\n' + said }}{% endif %}{{ '<|im_end|>\\n' }}"
        "{% else %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
        "{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}"
        "{% endif %}"
    ),
    # Thinks always: the generation prompt opens the block.
    "qwen3-thinking": (
        "{% for m in messages %}{% if m.role == 'assistant' %}"
        "{{ '<|im_start|>assistant\\n<think>\\n' + '' + '\\n</think>\\n\\n' + m.content + '<|im_end|>\\n' }}"
        "{% else %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n<think>\\n' }}{% endif %}"
    ),
    "deepseek-r1": (
        "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] }}{% endif %}"
        "{% if m['role'] == 'user' %}{{ '<|User|>' + m['content'] }}{% endif %}{% if m['role'] == 'assistant' %}"
        "{% set said = m['content'] %}{% if '</think>' in said %}{% set said = said.split('</think>')[-1] %}{% endif %}"
        "{{ '<|Assistant|>' + said + eos_token }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|Assistant|><think>\\n' }}{% endif %}"
    ),
    "deepseek-v3.1": (
        "{% if not thinking is defined %}{% set thinking = false %}{% endif %}{{ bos_token }}"
        "{% for m in messages %}{% if m['role'] == 'user' %}{{ '<|User|>' + m['content'] }}{% endif %}"
        "{% if m['role'] == 'assistant' %}{{ '<|Assistant|></think>' + m['content'] + eos_token }}{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|Assistant|>' }}"
        "{{ '<think>' if thinking else '</think>' }}{% endif %}"
    ),
    "llama2": (
        "{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}"
        "{% set told = '<<SYS>>\\n' + messages[0]['content'] + '\\n<</SYS>>\\n\\n' %}"
        "{% else %}{% set rest = messages %}{% set told = '' %}{% endif %}{% for m in rest %}"
        "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('Roles must alternate') }}{% endif %}"
        "{% set said = told + m['content'] if loop.index0 == 0 else m['content'] %}"
        "{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' + said.strip() + ' [/INST]' }}"
        "{% else %}{{ ' ' + said.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
    ),
    "llama3": (
        "{{ bos_token }}{% if not date_string is defined %}"
        "{% if strftime_now is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}{% endif %}"
        "{% if messages[0]['role'] == 'system' %}{% set told = messages[0]['content'] | trim %}"
        "{% set messages = messages[1:] %}{% else %}{% set told = '' %}{% endif %}"
        "{{ '<|start_header_id|>system<|end_header_id|>\\n\\nToday: ' + date_string + '\\n\\n' + told + '<|eot_id|>' }}"
        "{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n' }}"
        "{{ m['content'] | trim + '<|eot_id|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
    ),
    "gemma": (
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
        "{% endif %}{% for m in messages %}{% set role = 'model' if m['role'] == 'assistant' else m['role'] %}"
        "{{ '<start_of_turn>' + role + '\\n' + m['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
    ),
    "phi3": (
        "{% for m in messages %}{{ '<|' + m['role'] + '|>\\n' + m['content'] + '<|end|>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}"
    ),
    "mistral": (
        "{% if messages[0]['role'] == 'system' %}{% set told = messages[0]['content'] %}"
        "{% set rest = messages[1:] %}{% else %}{% set rest = messages %}{% endif %}{{ bos_token }}"
        "{% for m in rest %}{% if m['role'] == 'user' %}{% if told is defined and loop.first %}"
        "{{ '[INST] ' + told + '\\n\\n' + m['content'] + ' [/INST]' }}{% else %}"
        "{{ '[INST] ' + m['content'] + ' [/INST]' }}"
        "{% endif %}{% else %}{{ ' ' + m['content'] | trim + eos_token }}{% endif %}{% endfor %}"
    ),
    # The system message stands in the last user's turn: after what was said before.
    "smollm3": (
        "{% if enable_thinking is not defined %}{% set enable_thinking = true %}{% endif %}"
        "{{ '<|im_start|>system\\nToday: ' + strftime_now('%d %B %Y') + '\\nReasoning: ' }}"
        "{{ ('/think' if enable_thinking else '/no_think') + '\\n\\n' }}"
        "{% if messages[0].role == 'system' %}{{ messages[0].content.rstrip() }}{% endif %}{{ '<|im_end|>\\n' }}"
        "{% for m in messages %}{% if m.role == 'user' %}{{ '<|im_start|>user\\n' + m.content + '<|im_end|>\\n' }}"
        "{% elif m.role == 'assistant' %}{% generation %}{{ '<|im_start|>assistant\\n' }}"
        "{% if not enable_thinking %}{{ '<think>\\n\\n</think>\\n' }}{% endif %}"
        "{{ m.content.lstrip('\\n') + '<|im_end|>\\n' }}{% endgeneration %}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
        "{% if not enable_thinking %}{{ '<think>\\n\\n</think>\\n' }}{% endif %}{% endif %}"
    ),
    "zephyr": (
        "{% for m in messages %}{{ '<|' + m['role'] + '|>\\n' + m['content'] + eos_token + '\\n' }}"
        "{% if loop.last and add_generation_prompt %}{{ '<|assistant|>' + '\\n' }}{% endif %}{% endfor %}"
    ),
    "granite": (
        "{% if thinking %}{% set told = 'Think first.' %}{% else %}{% set told = 'You are Granite.' %}{% endif %}"
        "{{ '<|start_of_role|>system<|end_of_role|>' + strftime_now('%B %d, %Y') + told + '<|end_of_text|>\\n' }}"
        "{% for m in messages %}{{ '<|start_of_role|>' + m['role'] + '<|end_of_role|>' + m['content'] }}"
        "{{ '<|end_of_text|>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|start_of_role|>assistant<|end_of_role|>' }}{% endif %}"
    ),
    # No token closes a turn: the next one's head does.
    "glm4": (
        "[gMASK]<sop>{% for m in messages %}{% if m.role == 'assistant' %}"
        "{{ '<|assistant|>\\n<think></think>\\n' + m.content.strip() }}{% else %}"
        "{{ '<|' + m.role + '|>\\n' + m.content }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% if enable_thinking is defined and not enable_thinking %}"
        "{{ '\\n<think></think>' }}{% endif %}{% endif %}"
    ),
    # Wants the student's turn last, or to be asked to begin it.
    "strict": (
        "{% if not add_generation_prompt and messages[-1]['role'] != 'assistant' %}"
        "{{ raise_exception('The last message must be of the assistant') }}{% endif %}" + _CHATML + _BEGIN_CHATML
    ),
    # An answer stands between marks of its own.
    "hunyuan": (
        "<|startoftext|>{% for m in messages %}{% if m['role'] == 'assistant' %}"
        "{{ '<think>\\n\\n</think>\\n<answer>\\n' + m['content'] + '\\n</answer><|eos|>' }}"
        "{% else %}{{ m['content'] + '<|extra_0|>' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt and enable_thinking is defined and not enable_thinking %}"
        "{{ '<think>\\n\\n</think>\\n' }}{% endif %}"
    ),
    # Of a model that also sees: content is a list of parts.
    "parts": (
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' }}"
        "{% for part in m['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}"
        "{{ '<|im_end|>\\n' }}{% endfor %}" + _BEGIN_CHATML
    ),
    # Roles in plain words, white space of the content made less.
    "falcon": (
        "{% for m in messages %}{{ ('User: ' if m['role'] == 'user' else 'Assistant: ') }}"
        "{{ m['content'].strip().replace('\\n\\n', '\\n') + '\\n\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
    ),
}

_CHATML_TOKENS = ("<|im_start|>", "<|im_end|>", "<|endoftext|>")

# What a family's tokenizer has: special tokens, its begin (and whether it adds it itself) and its end.
SPECIAL: dict[str, tuple[tuple[str, ...], str | None, bool, str]] = {
    "llama2": (("<s>", "</s>"), "<s>", True, "</s>"),
    "mistral": (("<s>", "</s>", "[INST]", "[/INST]"), "<s>", True, "</s>"),
    "zephyr": (("<s>", "</s>"), "<s>", True, "</s>"),
    "llama3": (
        ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        "<|begin_of_text|>",
        True,
        "<|eot_id|>",
    ),
    "gemma": (("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"), "<bos>", True, "<eos>"),
    "phi3": (
        ("<s>", "<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
        "<s>",
        False,
        "<|endoftext|>",
    ),
    "deepseek-r1": (("<|begin|>", "<|end|>", "<|User|>", "<|Assistant|>"), "<|begin|>", True, "<|end|>"),
    "deepseek-v3.1": (("<|begin|>", "<|end|>", "<|User|>", "<|Assistant|>"), "<|begin|>", True, "<|end|>"),
    "granite": (("<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>"), None, False, "<|end_of_text|>"),
    "glm4": (("[gMASK]", "<sop>", "<|user|>", "<|assistant|>", "<|endoftext|>"), None, False, "<|endoftext|>"),
    "falcon": (("<|endoftext|>",), None, False, "<|endoftext|>"),
    "strict": (_CHATML_TOKENS, None, False, "<|endoftext|>"),
    "hunyuan": (("<|startoftext|>", "<|extra_0|>", "<|eos|>"), "<|startoftext|>", False, "<|eos|>"),
    # The base model of a ChatML family: its own end is not the template's.
    "chatml-bare": (_CHATML_TOKENS, None, False, "<|endoftext|>"),
}
CHATML = (_CHATML_TOKENS, None, False, "<|im_end|>")


def chat_tokenizer(family: str, *, template: str | None = None) -> Any:
    """One token a byte, and the special tokens and chat template of `family`."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    special, begin, adds, end = SPECIAL.get(family, CHATML)
    vocabulary = {token: i for i, token in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    if adds and begin is not None:
        backend.post_processor = TemplateProcessing(f"{begin} $A", special_tokens=[(begin, backend.token_to_id(begin))])
    named = {"eos_token": end, "pad_token": end} | ({"bos_token": begin} if begin else {})
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **named)
    tokenizer.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in ("<think>", "</think>")])
    tokenizer.chat_template = TEMPLATES[family] if template is None else template
    return tokenizer
