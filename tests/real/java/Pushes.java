import redis.clients.jedis.Jedis;

/** Pushes that nobody asked Jedis for, between ordinary replies: grants of ASYNC waits, and a token's lost lock. Usage: Pushes HOST:PORT */
public final class Pushes {
  static void expect(Object got, Object wanted) {
    if (!wanted.equals(got)) throw new AssertionError("got " + got + " and not " + wanted);
  }

  public static void main(String[] args) {
    try (Jedis one = Cleat.connect(args[0], 2000); Jedis other = Cleat.connect(args[0], 2000)) {
      for (int n = 0; n < 20; n++) {
        Cleat.ask(other, "LOCK", "busy/" + n);
        expect(Cleat.ask(one, "LOCK", "busy/" + n, "REQ", "r" + n, "ASYNC"), "QUEUED");
      }
      Cleat.ask(one, "LOCK", "short", "TOKEN", "t", "TTL", 500);
      for (int n = 0; n < 20; n++) {
        expect(Cleat.ask(other, "UNLOCK", "busy/" + n), 0L);
        expect(Cleat.ask(one, "ECHO", n), "" + n);
      }
      while (Cleat.ask(other, "LOCK", "short", "TOKEN", "u", "TTL", 500) == null) { // until the first token's is over
      }
      for (int n = 0; n < 20; n++) {
        expect(Cleat.ask(one, "ECHO", n), "" + n);
        expect(Cleat.ask(one, "UNLOCK", "busy/" + n), 0L);
      }
      System.out.println("all as asked");
    }
  }
}
