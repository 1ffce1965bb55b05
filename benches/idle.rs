//! Memory for each idle connection, counted by the allocator. Not a distribution, so this prints a table.

#[path = "support/heap.rs"]
mod heap;
mod support;

use tokio::io::DuplexStream;

use heap::idle_heap;
use support::TEXT;

fn main() {
    let message = support::masked(TEXT, &[b'x'; 1024]);
    println!("bytes on the heap for each idle connection, without the transport");
    println!("{:>12} {:>12} {:>24}", "just opened", "after 1 KiB", "browser, after 1 KiB");
    for (peer, serve) in [
        ("tower-websocket", support::serve_echo as fn(DuplexStream)),
        ("tokio-tungstenite as it comes", support::serve_tungstenite),
        ("tokio-tungstenite with small reads and one flush", support::serve_tuned_tungstenite),
    ] {
        let opened = idle_heap(serve, "", &[], 0);
        let echoed = idle_heap(serve, "", &message, 1);
        let browser = idle_heap(serve, BROWSER, &message, 1);
        println!("{opened:>12} {echoed:>12} {browser:>24}   {peer}");
    }
}

/// What Chromium sends besides the handshake, compression offered.
const BROWSER: &str = "Pragma: no-cache\r\nCache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Safari/537.36\r\n\
    Origin: http://localhost\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
