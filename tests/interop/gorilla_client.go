// Go's gorilla/websocket against our echo: `gorilla_client ws://HOST:PORT/ws`.
package main

import (
	"bytes"
	"fmt"
	"log"
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
	dialer := websocket.Dialer{EnableCompression: compression, HandshakeTimeout: time.Minute}
	conn, response, err := dialer.Dial(url, nil)
	check(err == nil, "dial: %v", err)
	negotiated := response.Header.Get("Sec-WebSocket-Extensions")
	check((negotiated != "") == compression, "negotiated %q", negotiated)
	check(conn.Subprotocol() == "", "subprotocol %q", conn.Subprotocol())
	conn.SetReadDeadline(time.Now().Add(time.Minute))
	return conn
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
