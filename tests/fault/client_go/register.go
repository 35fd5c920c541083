package main

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

const registerTimeout = 5 * time.Second

// register is one goroutine's connection to tests/fault/register.py.
type register struct {
	address    string
	connection net.Conn
	answers    *bufio.Reader
}

// ask answers the words, or nil where it is not known whether it was done.
func (r *register) ask(words ...any) []string {
	answer, err := r.try(words)
	if err != nil {
		r.close()
		return nil
	}
	return strings.Fields(answer)
}

func (r *register) try(words []any) (string, error) {
	if r.connection == nil {
		connection, err := net.DialTimeout("tcp", r.address, registerTimeout)
		if err != nil {
			return "", err
		}
		r.connection, r.answers = connection, bufio.NewReader(connection)
	}
	if err := r.connection.SetDeadline(time.Now().Add(registerTimeout)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintln(r.connection, words...); err != nil {
		return "", err
	}
	return r.answers.ReadString('\n')
}

func (r *register) close() {
	if r.connection != nil {
		r.connection.Close()
		r.connection = nil
	}
}

// numbers are those behind the first word, which is ok.
func numbers(answer []string) []int64 {
	var found []int64
	for _, word := range answer[1:] {
		number, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			panic(err)
		}
		found = append(found, number)
	}
	return found
}
