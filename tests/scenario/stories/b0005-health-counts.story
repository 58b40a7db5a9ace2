daemon start preload=tiny
health expect ok 1
health expect models_loaded 1
health expect accepting_requests 1
health expect worker_deaths 0
health expect requests_total 0
client A connect
client A submit model=tiny text="abc" -> a
client A expect a ok
health expect requests_total 1
health expect queue_depth 0
memory expect within 5
daemon stop
