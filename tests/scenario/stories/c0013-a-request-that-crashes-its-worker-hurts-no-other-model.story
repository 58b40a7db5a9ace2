daemon start preload=tiny,other
client A connect
client A submit model=other text="slow:1s" -> o
client A submit model=tiny text="crash:" -> a
client A expect a failed worker_lost
client A submit model=tiny text="abc" -> next
client A expect next text "cba"
client A expect o ok
worker same model=other
daemon alive
daemon stop
