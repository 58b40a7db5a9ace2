daemon start preload=tiny handshake_timeout_ms=200 frame_timeout_ms=300 idle_timeout_ms=400
client Mute connect bare
client Slow connect bare
client Slow raw 20 00 00 00 01
client Json connect v1 bare
client Json raw 20 00 00 00 7b
client Mute expect error expired "handshake_timeout_ms"
client Mute expect closed
client Slow expect error expired
client Slow expect closed
client Json expect error expired
client Json expect closed
client Idle connect v1
client Busy connect
client Busy submit model=tiny text="pace:1s ab" stream -> b
client Idle expect error expired "idle_timeout_ms"
client Idle expect closed
client Busy expect b ok
client Busy expect error expired "idle_timeout_ms"
client Busy expect closed
daemon expect log connection.cut
daemon stop
