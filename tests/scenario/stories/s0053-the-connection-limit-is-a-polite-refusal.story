daemon start preload=tiny max_connections=2
client A connect
client B connect
client C connect bare
client C expect error too_many_connections
client C expect closed
client A close
client B submit model=tiny text="abc" -> b
client B expect b text "cba"
daemon stop
