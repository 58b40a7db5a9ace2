daemon start preload=classifier,embedder
client A connect
client A submit model=classifier task=classify text="one" text="two" text="three" -> a
client A expect a results 3
client A submit model=embedder task=embed text="one" text="two" stream -> b
client A expect b results 2
client A expect b pieces 2
daemon stop
