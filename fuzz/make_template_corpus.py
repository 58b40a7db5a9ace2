#!/usr/bin/env python3
"""Writes the seed inputs of the target template: the families of the tests, and each construct alone."""

import hashlib
from pathlib import Path

FUZZ = Path(__file__).resolve().parent
FOLDER, FAMILIES = FUZZ / "corpus/template", FUZZ.parent / "tests/integration/template/families"
MOST_BYTES = 4096

ALONE = r"""
{{ messages }}
{{ tools | tojson(indent=2) }}{{ tools | tojson(ensure_ascii=true, sort_keys=true, separators=(',', ':')) }}
{{ messages[1:] | map(attribute='content', default='-') | list }}
{{ messages | selectattr('role', 'equalto', 'user') | map('length') | join(', ') }}
{{ messages | rejectattr('content') | list | count }}{{ [1, 'a', 2.5] | select('string') | list }}
{{ strftime_now('%d %B %Y %H:%M:%S %j %a %p %-d %% %y %I') }}
{% set ns = namespace(a=1) %}{% for x in range(5) if x is odd %}{% set ns.a = ns.a + x %}{{ loop.index }}{% else %}-{% endfor %}{{ ns.a }}
{%- macro f(a, b=2) -%} {{ a }}-{{ b }}{{ caller(1) if caller }} {%- endmacro -%} {{ f(1, b=3) }}{% call(z) f(1) %}{{ z }}{% endcall %}
{% macro r(n) %}{{ r(n - 1) if n > 0 }}x{% endmacro %}{{ r(20) }}{{ r(1000) }}
{{ 7 // 2 }} {{ -7 // 2.0 }} {{ -7 % 3 }} {{ 2 ** 10 }} {{ 1 / 3 }} {{ 1e22 }} {{ 0x1F + 1_000 }} {{ 2 ** 63 }}
{{ messages[1].content | title ~ messages[1].content.title() | upper | lower | capitalize | trim | reverse }}
{{ messages[1].content.split(' ', 1)[-1].rsplit('-')[0].replace('', '.', 2).strip('.Hi') }}{{ 'a\nb'.splitlines() }}
{% for k, v in tools[0].function | dictsort %}{{ k }}={{ v }};{% endfor %}{{ tools[0].items() | list }}
{% for a in 'abc' %}{% if a == 'b' %}{% continue %}{% endif %}{{ a }}{{ loop.previtem }}{{ loop.cycle(1, 2) }}{{ loop.changed(a) }}{% break %}{% endfor %}
{% filter upper | indent(2) %}abc{{ 1 }}{% endfilter %}{% set x | trim %} b {% endset %}{% with y = x %}{{ y }}{% endwith %}
{% generation %}{{ 1 < 2 <= 3 != 4 }}{% endgeneration %}{% raw %}{{ x }}{% endraw %}{# c -#}
{{ [3, 1, 2] | sort(reverse=true) }}{{ ['b', 'A'] | unique | list }}{{ [1, 2] | sum }}{{ [1, 2] | max }}{{ [[1], [2]] | map(attribute=0) | list }}
{{ '4.7' | int }}{{ 'x' | float(1.5) }}{{ 2.675 | round(2) }}{{ 2.1 | round(0, 'ceil') }}{{ -3 | abs }}{{ [1, 2, 3] | batch(2, 0) | list }}
{{ 'abcdef'[::-2] }}{{ [1, 2, 3][-2:] }}{{ (1, 'b', none, {'a': [true]}) }}{{ {1: 2, 'k': none}['k'] is none }}
{{ "\u00e9\x41\101\q\'" 'b' }}{{ 'é🦊'[1] }}{{ 'ß'.upper() }}{{ nothing }}{{ nothing | default('d') }}
{{ messages[0].content is string and 5 is divisibleby 5 or tools is mapping and not 'a' in 'abc' }}
{{ raise_exception('no ' ~ messages[1].content) }}
{% set x = [1] %}{% for i in range(60) %}{% set ns = namespace(x=[x]) %}{% endfor %}{{ 'x' * 100000 }}
{{ dict(a=1) | items | list }}{{ dict({'b': 2}, c=3) | tojson | safe }}{{ {}.get('a', 1) }}
{% if a %}{% elif b %}{% else %}  {%- endif +%}
   {%+ if true %}x{% endif %}
"""

WORDS = """{{ }} {% %} {# #} {%- -%} {{- -}} {%+ +%} if elif else endif for in endfor set endset macro endmacro call
endcall filter endfilter with endwith generation endgeneration break continue raw endraw namespace loop index first
last length previtem nextitem cycle messages tools content role tool_calls function name arguments bos_token
add_generation_prompt is not and or defined none string mapping equalto tojson trim upper lower title join map
select selectattr default items dictsort sort unique reverse list indent= separators= attribute= replace split strip
startswith range strftime_now raise_exception caller ** // ~ == != <= [::-1] | true false None""".split()


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FAMILIES.glob("*.jinja"):
        if path.stat().st_size <= MOST_BYTES:
            (FOLDER / f"family-{path.stem}").write_bytes(path.read_bytes())
    for line in ALONE.strip("\n").split("\n"):
        (FOLDER / f"alone-{hashlib.sha256(line.encode()).hexdigest()[:8]}").write_text(line)
    escaped = (word.replace("\\", "\\\\").replace('"', '\\"') for word in WORDS)
    (FUZZ / "dictionaries/template").write_text(
        "# words of template's inputs\n" + "".join(f'"{word}"\n' for word in escaped))


if __name__ == "__main__":
    main()
