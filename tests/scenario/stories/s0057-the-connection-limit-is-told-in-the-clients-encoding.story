daemon start max_connections=2
client A connect
client B connect v1
client C connect v1 -> too_many_connections
client C expect closed
client D connect -> too_many_connections
client D expect closed
client Mute connect bare
client Mute expect error too_many_connections
client Mute expect closed
client A close
client E connect v1
daemon stop
