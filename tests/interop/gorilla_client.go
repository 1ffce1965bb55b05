// Go's gorilla/websocket against our echo, which has the same `WINDOW_BITS`: `gorilla_client ws://HOST:PORT/ws`.
package main

import (
	"bytes"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

var url = os.Args[1]

func check(ok bool, format string, values ...any) {
	if !ok {
		log.Fatalf(format, values...)
	}
}

func dial(compression bool) *websocket.Conn {
	dialer := websocket.Dialer{EnableCompression: compression, HandshakeTimeout: time.Minute, NetDial: dialCounted}
	conn, response, err := dialer.Dial(url, nil)
	check(err == nil, "dial: %v", err)
	negotiated := response.Header.Get("Sec-WebSocket-Extensions")
	check(negotiated == expected(compression), "negotiated %q", negotiated)
	check(conn.Subprotocol() == "", "subprotocol %q", conn.Subprotocol())
	conn.SetReadDeadline(time.Now().Add(time.Minute))
	return conn
}

// It offers no context takeover, and no window.
func expected(compression bool) string {
	if !compression {
		return ""
	}
	answer := "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	if bits := os.Getenv("WINDOW_BITS"); bits != "" {
		answer += "; server_max_window_bits=" + bits
	}
	return answer
}

// A connection that knows how many bytes went through it.
type counted struct {
	net.Conn
	sent, received int
}

func dialCounted(network, address string) (net.Conn, error) {
	conn, err := net.Dial(network, address)
	return &counted{Conn: conn}, err
}

func (conn *counted) Write(data []byte) (int, error) {
	count, err := conn.Conn.Write(data)
	conn.sent += count
	return count, err
}

func (conn *counted) Read(data []byte) (int, error) {
	count, err := conn.Conn.Read(data)
	conn.received += count
	return count, err
}

// Many messages of JSON are much smaller on the wire exactly where compression was negotiated.
func similar(conn *websocket.Conn, compression bool) {
	wire := conn.UnderlyingConn().(*counted)
	sent, received, total := wire.sent, wire.received, 0
	for id := 0; id < 100; id++ {
		text := []byte(fmt.Sprintf(`{"id":%d,"tags":[%s]}`, id, strings.Repeat(`"one","two","three",`, 50)))
		check(conn.WriteMessage(websocket.TextMessage, text) == nil, "could not write")
		receive(conn, websocket.TextMessage, text)
		total += len(text)
	}
	check((wire.sent-sent < total/2) == compression, "sent %d bytes as %d", total, wire.sent-sent)
	check((wire.received-received < total/2) == compression, "received %d bytes as %d", total, wire.received-received)
}

func receive(conn *websocket.Conn, kind int, data []byte) {
	gotKind, got, err := conn.ReadMessage()
	check(err == nil, "read: %v", err)
	check(gotKind == kind && bytes.Equal(got, data), "%d bytes came back as %d", len(data), len(got))
}

func messages(conn *websocket.Conn) {
	json := strings.Repeat(`{"id":17,"name":"somebody","active":true},`, 500)
	for _, text := range []string{"hello", "grüße 🌍", "", strings.Repeat("x", 1<<20), json} {
		for _, kind := range []int{websocket.TextMessage, websocket.BinaryMessage} {
			check(conn.WriteMessage(kind, []byte(text)) == nil, "could not write")
			receive(conn, kind, []byte(text))
		}
	}
	// One message in fragments, with a ping among them: the writer's buffer is 4 KiB.
	pong := ""
	conn.SetPongHandler(func(data string) error { pong = data; return nil })
	writer, err := conn.NextWriter(websocket.TextMessage)
	check(err == nil, "writer: %v", err)
	writer.Write(bytes.Repeat([]byte("y"), 20_000))
	check(conn.WriteControl(websocket.PingMessage, []byte("between"), time.Now().Add(time.Minute)) == nil, "no ping")
	writer.Write([]byte("z"))
	check(writer.Close() == nil, "could not write fragments")
	receive(conn, websocket.TextMessage, append(bytes.Repeat([]byte("y"), 20_000), 'z'))
	check(pong == "between", "pong %q", pong)
}

func main() {
	for _, compression := range []bool{false, true} {
		conn := dial(compression)
		messages(conn)
		similar(conn, compression)
		conn.Close()
	}
	for code, reason := range map[int]string{1000: "", 1001: "leaving", 3000: "three thousand", 4999: strings.Repeat("é", 61)} {
		conn := dial(false)
		conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(time.Minute))
		_, _, err := conn.ReadMessage()
		end, ok := err.(*websocket.CloseError)
		check(ok && end.Code == code && end.Text == reason, "closed with %d, answered by %v", code, err)
		conn.Close()
	}
	_, response, err := websocket.DefaultDialer.Dial(url, http.Header{"Origin": {"null"}})
	check(err == nil && response.StatusCode == 101, "the echo takes every origin: %v", err)
	_, response, err = websocket.DefaultDialer.Dial(strings.Replace(url, "/ws", "/elsewhere", 1), nil)
	check(err == websocket.ErrBadHandshake && response.StatusCode == 426, "elsewhere: %v", err)
	fmt.Println("gorilla: 2 settings, all as expected")
}
