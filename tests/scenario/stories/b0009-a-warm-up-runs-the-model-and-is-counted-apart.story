daemon start preload=tiny,embedder
client A connect
client B connect v1
client A warmup tiny -> ok
client B warmup embedder -> ok
client A warmup none -> no_model
client A warmup one -> not_ready
metrics expect warmups 2
metrics expect requests_total 0
metrics expect request_total_us 0
models expect tiny request_count 0
client A submit model=tiny text="abc" -> a
client A expect a text "cba"
metrics expect requests_total 1
daemon stop
