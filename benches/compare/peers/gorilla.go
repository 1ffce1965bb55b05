// On gorilla/websocket: an echo, and what is sent to /pub goes to everybody at /sub as a prepared message.
package main

import (
	"compress/flate"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"sync"

	"github.com/gorilla/websocket"
)

var upgrader = websocket.Upgrader{EnableCompression: os.Getenv("COMPRESSION") == "1"}

func main() {
	address := os.Getenv("ADDR")
	if address == "" {
		address = "127.0.0.1:9001"
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening")
	http.HandleFunc("/sub", subscribe)
	http.HandleFunc("/pub", publish)
	http.HandleFunc("/", echo)
	log.Fatal(http.Serve(listener, nil))
}

var (
	mutex   sync.Mutex
	members = map[chan *websocket.PreparedMessage]struct{}{}
)

func subscribe(w http.ResponseWriter, r *http.Request) {
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetCompressionLevel(flate.BestSpeed)
	messages := make(chan *websocket.PreparedMessage, 256)
	mutex.Lock()
	members[messages] = struct{}{}
	mutex.Unlock()
	for message := range messages {
		if conn.WritePreparedMessage(message) != nil {
			break
		}
	}
	mutex.Lock()
	delete(members, messages)
	mutex.Unlock()
}

func publish(w http.ResponseWriter, r *http.Request) {
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	for {
		kind, message, err := conn.ReadMessage()
		if err != nil {
			return
		}
		prepared, err := websocket.NewPreparedMessage(kind, message)
		if err != nil {
			return
		}
		mutex.Lock()
		for messages := range members {
			select {
			case messages <- prepared:
			default:
			}
		}
		mutex.Unlock()
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetCompressionLevel(flate.BestSpeed)
	for {
		kind, message, err := conn.ReadMessage()
		if err != nil || conn.WriteMessage(kind, message) != nil {
			return
		}
	}
}
