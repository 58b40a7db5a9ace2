# printf %s "open sesame" | sha256sum
daemon start token_sha256=41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb
client A connect token="open sesame"
client B connect v1 token="open sesame"
client C connect v1 -> unauthenticated
client C expect closed
client D connect token="open sesam" -> unauthenticated
client D expect closed
health expect ok 1
daemon expect log handshake.denied
client E connect token="wrong-marker-1" -> unauthenticated
client F connect token="wrong-marker-2" -> unauthenticated
client G connect v1 token="wrong-marker-3" -> unauthenticated
client I connect token="wrong-marker-4" -> unauthenticated
client H connect token="open sesame" -> unauthenticated
daemon expect log handshake.held_up
daemon never logs sesam
daemon never logs wrong-marker
health expect ok 1
daemon stop
