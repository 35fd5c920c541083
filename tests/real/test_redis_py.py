"""redis-py, as its users use it: sync and asyncio, pools, pipelines, RESP3 pushes, subscriptions."""
import asyncio
import json
import threading

import pytest
import redis
import redis.asyncio

from node import wait_until


def client(node, **options):
    return redis.Redis(host=node.address[0], port=node.port, decode_responses=True, **options)


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def protocol(request):
    return request.param


def test_lock_and_unlock_on_one_connection(node, protocol):
    with client(node, protocol=protocol, single_connection_client=True) as one, \
            client(node, protocol=protocol, single_connection_client=True) as other:
        fence = one.execute_command("LOCK", "orders", "WAIT", 0)
        assert fence > 0
        assert other.execute_command("TRYLOCK", "orders") is None
        assert one.execute_command("UNLOCK", "orders", "FENCE", fence) == 0
        later = other.execute_command("TRYLOCK", "orders")
        assert later > fence


def test_a_waiter_gets_the_lock_when_the_holder_goes(node, protocol):
    holder = client(node, protocol=protocol, single_connection_client=True)
    first = holder.execute_command("LOCK", "orders")
    got = []

    def wait():
        with client(node, protocol=protocol, single_connection_client=True) as waiter:
            got.append(waiter.execute_command("LOCK", "orders", "WAIT", 10000))

    waiting = threading.Thread(target=wait)
    waiting.start()
    with node.connect() as watcher:
        wait_until(lambda: "waiters" in str(watcher.do("SHOW", "orders")) and node.info().get("waiters") == "1", what="a waiter")
    holder.close()
    waiting.join(timeout=15)
    assert got and got[0] > first


def test_pipeline(node, protocol):
    with client(node, protocol=protocol) as one:
        pipe = one.pipeline(transaction=False)
        for number in range(200):
            pipe.execute_command("LOCK", f"p/{number}", "WAIT", 0)
        fences = pipe.execute()
        assert len(set(fences)) == 200 and fences == sorted(fences)
        for number, fence in enumerate(fences):
            pipe.execute_command("UNLOCK", f"p/{number}", "FENCE", fence)
        pipe.execute_command("UNLOCK", "never/locked")
        answers = pipe.execute(raise_on_error=False)
        assert answers[:200] == [0] * 200
        assert str(answers[200]).startswith("NOTHELD")


def test_a_pool_with_tokens(node, protocol):
    """Each command takes any connection of the pool, so the token, not the connection, says whose hold it is."""
    pool = redis.ConnectionPool(host=node.address[0], port=node.port, protocol=protocol, decode_responses=True)
    shared = redis.Redis(connection_pool=pool)
    turns, inside, broken = [], [0], []

    def worker(number):
        token = f"worker-{number}"
        for _ in range(20):
            fence = shared.execute_command("LOCK", "pool", "TOKEN", token, "TTL", 20000, "WAIT", 20000)
            inside[0] += 1
            if inside[0] != 1 or fence is None:
                broken.append((token, fence))
            turns.append(fence)
            inside[0] -= 1
            assert shared.execute_command("UNLOCK", "pool", "TOKEN", token, "FENCE", fence) == 0

    threads = [threading.Thread(target=worker, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not broken
    assert turns == sorted(turns) and len(set(turns)) == 160
    pool.disconnect()


def test_token_is_idempotent_over_connections(node):
    with client(node) as one, client(node) as other:
        fence = one.execute_command("LOCK", "web", "TOKEN", "t", "TTL", 30000)
        assert other.execute_command("LOCK", "web", "TOKEN", "t", "TTL", 30000) == fence
        assert other.execute_command("UNLOCK", "web", "TOKEN", "t") == 0
        assert one.execute_command("UNLOCK", "web", "TOKEN", "t") is None


def test_unasked_pushes_reach_a_handler_and_break_nothing(node):
    """An ASYNC wait on a RESP3 connection: QUEUED at once, the grant as a push while other commands go on."""
    pushes = []
    with client(node, protocol=3, single_connection_client=True) as one, client(node, single_connection_client=True) as other:
        one.connection._parser.set_pubsub_push_handler(pushes.append)
        held = other.execute_command("LOCK", "busy")
        assert one.execute_command("LOCK", "busy", "REQ", "r1", "ASYNC") == "QUEUED"
        assert one.execute_command("PING") in (True, "PONG")
        other.execute_command("UNLOCK", "busy", "FENCE", held)

        def granted():
            one.execute_command("PING")  # redis-py reads pushes when it reads a reply
            return [push for push in pushes if push[1] == "granted"]
        push = wait_until(granted, what="the grant's push")[0]
        assert push[0] == "cleat" and push[2] == "busy" and push[3] == "r1"
        assert push[4]["fence"] > held


def test_pushes_without_a_handler_break_nothing(node):
    with client(node, protocol=3, single_connection_client=True) as one, client(node, single_connection_client=True) as other:
        held = [other.execute_command("LOCK", f"b/{n}") for n in range(20)]
        assert [one.execute_command("LOCK", f"b/{n}", "REQ", f"r{n}", "ASYNC") for n in range(20)] == ["QUEUED"] * 20
        for number, fence in enumerate(held):
            other.execute_command("UNLOCK", f"b/{number}", "FENCE", fence)
            assert one.execute_command("ECHO", f"still {number}") == f"still {number}"
        node.wait_info("waiters", "0")
        for number in range(20):
            assert one.execute_command("ECHO", f"after {number}") == f"after {number}"
            assert one.execute_command("UNLOCK", f"b/{number}") == 0


@pytest.mark.parametrize("pattern", [False, True], ids=["subscribe", "psubscribe"])
def test_subscription_tells_what_happens_to_a_name(node, protocol, pattern):
    with client(node, protocol=protocol) as watching, client(node, single_connection_client=True) as acting:
        events = watching.pubsub()
        if pattern:
            events.psubscribe("cleat:orders/*")
        else:
            events.subscribe("cleat:orders/7")
        assert events.get_message(timeout=10)["type"] in ("subscribe", "psubscribe")
        acting.execute_command("LOCK", "elsewhere")
        fence = acting.execute_command("LOCK", "orders/7")
        acting.execute_command("UNLOCK", "orders/7")
        message = wait_until(lambda: events.get_message(timeout=0.1), what="the first message")
        assert message["type"] == ("pmessage" if pattern else "message")
        assert message["channel"] == "cleat:orders/7"
        event = json.loads(message["data"])
        assert event["fence"] == fence and event["event"] == "granted", event
        message = wait_until(lambda: events.get_message(timeout=0.1), what="the second message")
        assert json.loads(message["data"])["event"] == "released"
        events.close()


def test_health_check_ping_of_a_subscribed_connection(node):
    """RESP2 only: with RESP3 redis-py takes the pong's text for a list, of a real Redis too."""
    with client(node, protocol=2) as watching:
        events = watching.pubsub()
        events.subscribe("cleat:x")
        assert events.get_message(timeout=10)["type"] == "subscribe"
        events.ping("are you there")
        answer = wait_until(lambda: events.get_message(timeout=0.1), what="the pong")
        assert answer["type"] == "pong" and answer["data"] == "are you there"
        events.close()


def test_errors_surface_as_response_errors(node, protocol):
    with client(node, protocol=protocol) as one:
        with pytest.raises(redis.ResponseError, match="NOTHELD"):
            one.execute_command("UNLOCK", "nothing")
        with pytest.raises(redis.ResponseError, match="unknown command"):
            one.set("a", "b")
        with pytest.raises(redis.ResponseError, match="wrong number of arguments"):
            one.execute_command("LOCK")


def test_ordinary_calls_of_the_library(node, protocol):
    with client(node, protocol=protocol, client_name="billing") as one:
        assert one.ping() is True
        assert one.echo("x") == "x"
        assert one.info()["cleat_version"]
        assert isinstance(one.time(), tuple)
        assert one.client_getname() == "billing"
        assert one.client_id() > 0
        assert any(entry["name"] == "billing" for entry in one.client_list())
        assert one.config_get("appendonly") == {"appendonly": "yes"}
        assert one.command_count() > 20 if hasattr(one, "command_count") else True


def test_asyncio(node, protocol):
    async def main():
        one = redis.asyncio.Redis(host=node.address[0], port=node.port, protocol=protocol, decode_responses=True)
        turns = []

        async def worker(number):
            token = f"task-{number}"
            for _ in range(5):
                fence = await one.execute_command("LOCK", "aio", "TOKEN", token, "TTL", 20000, "WAIT", 20000)
                turns.append(fence)
                assert await one.execute_command("UNLOCK", "aio", "TOKEN", token) == 0

        await asyncio.gather(*(worker(number) for number in range(10)))
        await one.aclose()
        return turns

    turns = asyncio.run(main())
    assert turns == sorted(turns) and len(set(turns)) == 50
