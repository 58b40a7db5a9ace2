daemon start preload=tiny
client A connect
client A submit model=tiny task=chat chat="system:be brief" chat="user:abc" -> a
client A expect a text "cba"
client A submit model=tiny task=chat chat="user:one" chat="assistant:two" chat="user:xyz" stream -> b
client A expect b text "zyx"
daemon stop
