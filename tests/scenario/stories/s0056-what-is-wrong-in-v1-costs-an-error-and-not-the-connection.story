daemon start preload=tiny
client A connect v1
client A json '{"type":'
client A expect error malformed
client A json '{"type":"no_such_message"}'
client A expect error malformed
client A json '{"type":"cancel_request","request_id":"one"}'
client A expect error malformed
client A submit model=tiny text="abc" -> a
client A expect a text "cba"
client A raw 04 00 00 00 0a 00 00 00
client A expect error malformed "protocol V1"
client A expect closed
metrics expect frames_malformed 4
daemon stop
