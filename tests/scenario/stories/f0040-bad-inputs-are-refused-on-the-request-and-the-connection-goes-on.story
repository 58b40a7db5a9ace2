daemon start preload=tiny,classifier
client A connect
client A submit model=nobody text="x" -> a
client A expect a failed no_model
client A submit model=tiny text="" -> b
client A expect b failed input_invalid
client A submit model=tiny temperature=9 text="x" -> c
client A expect c failed input_invalid
client A expect c error-says "temperature"
client A submit model=tiny top_p=0 text="x" -> d
client A expect d failed input_invalid
client A submit model=tiny task=classify text="x" -> e
client A expect e failed unsupported
client A submit model=classifier task=generate text="x" -> f
client A expect f failed unsupported
client A submit model=tiny task=chat -> g
client A expect g failed input_invalid
client A submit model=tiny text="x" text="y" -> h
client A expect h failed input_invalid
client A submit model=tiny text="abc" -> ok
client A expect ok text "cba"
daemon alive
daemon stop
