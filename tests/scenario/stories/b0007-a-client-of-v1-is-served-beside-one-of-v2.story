daemon start preload=tiny,embedder
client A connect v1
client B connect
client A submit model=tiny text="abc" -> a
client B submit model=tiny text="abc" -> b
client A expect a text "cba"
client B expect b text "cba"
client A submit model=tiny text="abcdef" stream -> s
client A expect s text "fedcba"
client A submit model=tiny task=chat chat="user:hello" -> c
client A expect c text "olleh"
client A submit model=embedder task=embed text="x" text="yy" text="zzz" -> e
client A expect e results 3
client A submit model=tiny text="pace:60s ab" stream -> long
client A first long
client A cancel long -> yes
client A expect long failed cancelled
client A submit model=none text="x" -> n
client A expect n failed no_model
client A unload tiny -> ok
client A load tiny -> ok
daemon stop
