daemon start preload=one
client A connect
client A submit model=one text="pace:60s ab" stream -> a
client A first a
client A close
client B connect
client B submit model=one text="abc" -> next
client B expect next text "cba"
health expect worker_deaths 0
daemon stop
