# The answer comes in the encoding of the question, what follows in the version that it names.
daemon start
client A negotiate json 0 0 -> V1
client A negotiate json 1 2 -> V2
client A negotiate json 1 1 -> V1
client A negotiate json 2 9 -> V2
client A negotiate json 3 4 -> version
client A negotiate binary 2 2 -> V2
client A negotiate binary 1 1 -> V1
client A negotiate binary 1 9 -> V2
client A negotiate binary 3 4 -> version
daemon stop
