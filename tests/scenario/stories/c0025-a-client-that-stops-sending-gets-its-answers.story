daemon start preload=one
client A connect
client B connect v1
client A submit model=one text="pace:300ms abc" stream -> a
client A submit model=one text="abc" -> queued
client A half-close
client B submit model=one text="xyz" -> b
client B half-close
client A expect a ok
client A expect queued text "cba"
client A expect closed
client B expect b text "zyx"
client B expect closed
metrics expect requests_succeeded 3
metrics expect requests_cancelled 0
metrics expect connections 1
daemon stop
