# A streamed answer comes in pieces that join to the text, and ends with one terminal.
daemon start preload=tiny
client A connect
client A submit model=tiny text="hello" stream -> a
client A expect a text "olleh"
client A expect a pieces 5
client A expect a finish stop
client A submit model=tiny text="hello" -> b
client A expect b text "olleh"
client A expect b pieces 0
daemon stop
