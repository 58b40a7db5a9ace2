# What only generators do, asked in either encoding, streamed and at once.
daemon start preload=tiny
client A connect
client B connect v1
client A submit model=tiny text="cached:2 drafted:4 accepted:1 abc" n=3 max_tokens=4 -> a
client A expect a answers "cba" "cba+" "cba+"
client A expect a ends stop stop max_tokens
client A expect a finish stop
client A expect a tells prompt_tokens 3
client A expect a tells cached_tokens 2
client A expect a tells tokens_generated 11
client A expect a tells fingerprint "echo seed=42"
client B submit model=tiny text="abc" n=2 stream logprobs top_logprobs=2 -> b
client B expect b answers "cba" "cba+"
client B expect b ends stop stop
client B expect b scores 9 12
client A submit model=tiny text="full: ab" logprobs -> c
client A expect c scores 2
client A expect c finish context_full
client B submit model=tiny task=chat chat="user:tool:warm tool:cold x" tools='[{"type":"function"}]' -> d
client B expect d calls 'warm:{"n":0}' 'cold:{"n":1}'
client B expect d ends tool_calls
client A submit model=tiny task=chat chat="user:tool:warm x" tools='[{"type":"function"}]' stream -> e
client A expect e calls 'warm:{"n":0}'
client A expect e finish tool_calls
client A submit model=tiny task=choice text="which?" choices="ja,nein,vielleicht" -> f
client A expect f chooses "ja,nein,vielleicht"
client B submit model=tiny task=choice chat="user:which?" choices="ja,nein" stream -> g
client B expect g chooses "ja,nein"
client B submit model=tiny text="x" choices="ja,nein" -> h
client B expect h failed input_invalid
client B expect h error-says "choices: given, but only choice takes it"
metrics expect prefix_hit_tokens_total 2
metrics expect prefix_miss_tokens_total 1
metrics expect drafted_tokens_total 12
metrics expect accepted_tokens_total 3
metrics expect structured_requests_total 4
metrics expect finish_stop 2
metrics expect finish_tool_calls 2
metrics expect finish_context_full 1
client A takes 7 spans
daemon stop
