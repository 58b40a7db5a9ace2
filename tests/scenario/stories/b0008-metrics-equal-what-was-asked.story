daemon start preload=tiny
client A connect
client B connect v1
client A submit model=tiny text="abc" -> a1
client A submit model=tiny text="abc" -> a2
client A submit model=tiny text="abc" stream -> a3
client B submit model=tiny text="abc" -> b1
client B submit model=tiny text="abc" stream -> b2
client A expect a1 ok
client A expect a2 ok
client A expect a3 ok
client B expect b1 ok
client B expect b2 ok
client A submit model=tiny text="fail:" -> f
client A expect f failed engine_failed
client A submit model=tiny text="pace:60s ab" stream -> c
client A first c
client A cancel c -> yes
client A expect c failed cancelled
client B submit model=none text="x" -> n
client B expect n failed no_model
metrics expect requests_total 8
metrics expect requests_succeeded 5
metrics expect requests_failed 2
metrics expect requests_cancelled 1
metrics expect requests_refused_model 1
metrics expect request_total_us 7
metrics expect request_queue_us 7
metrics expect model_load_ms 1
metrics expect worker_starts 1
metrics expect running 0
metrics expect queue_depth 0
client B takes 7 spans
client A takes 0 spans
health expect requests_total 8
daemon stop
