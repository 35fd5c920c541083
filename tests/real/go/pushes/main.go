// Pushes that nobody asked go-redis for, between ordinary replies: grants of ASYNC waits, and a token's lost lock. Usage: pushes HOST:PORT
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/redis/go-redis/v9"
)

func expect(command *redis.Cmd, wanted string) {
	got, err := command.Result()
	if err != nil || fmt.Sprint(got) != wanted {
		log.Fatalf("%s: got %v, %v", command, got, err)
	}
}

func main() {
	ctx := context.Background()
	one := redis.NewClient(&redis.Options{Addr: os.Args[1], PoolSize: 1, Protocol: 3, MaxRetries: -1})
	other := redis.NewClient(&redis.Options{Addr: os.Args[1], PoolSize: 1, MaxRetries: -1})
	for n := range 20 {
		name := fmt.Sprintf("busy/%d", n)
		if err := other.Do(ctx, "LOCK", name).Err(); err != nil {
			log.Fatal(err)
		}
		expect(one.Do(ctx, "LOCK", name, "REQ", name, "ASYNC"), "QUEUED")
	}
	if err := one.Do(ctx, "LOCK", "short", "TOKEN", "t", "TTL", 500).Err(); err != nil {
		log.Fatal(err)
	}
	for n := range 20 {
		expect(other.Do(ctx, "UNLOCK", fmt.Sprintf("busy/%d", n)), "0")
		expect(one.Do(ctx, "ECHO", n), fmt.Sprint(n))
	}
	for other.Do(ctx, "LOCK", "short", "TOKEN", "u", "TTL", 500).Val() == nil { // until the first token's is over
	}
	for n := range 20 {
		expect(one.Do(ctx, "ECHO", n), fmt.Sprint(n))
		expect(one.Do(ctx, "UNLOCK", fmt.Sprintf("busy/%d", n)), "0")
	}
	fmt.Println("all as asked")
}
