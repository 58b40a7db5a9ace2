daemon start preload=tiny
daemon start-second expect_exit=1
client A connect
client A submit model=tiny text="abc" -> a
client A expect a text "cba"
daemon stop
