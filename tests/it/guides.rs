//! The tables of the guides are complete, and the names of other crates lead to what serves for them.

use std::path::Path;

/// The guide as it is read, without the marks of comments.
fn incident() -> String {
    include_str!("../../src/guide/incident.rs").replace("//! ", "")
}

/// The variants of an enum in a source file.
fn variants(source: &str, name: &str) -> Vec<String> {
    let body = source.split_once(&format!("pub enum {name} {{")).unwrap().1.split_once("\n}").unwrap().0;
    let lines = body.lines().map(str::trim).filter(|line| !line.starts_with(['/', '#']) && !line.is_empty());
    lines.map(|line| line.trim_end_matches(',').to_owned()).collect()
}

fn rows(section: &str) -> Vec<String> {
    let guide = incident();
    let section = guide.split_once(&format!("\n# {section}\n")).unwrap().1.split("\n# ").next().unwrap().to_owned();
    section.lines().filter(|line| line.starts_with("| ")).map(str::to_owned).collect()
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.replace("WebSocket", "Websocket").chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[test]
fn every_error_kind_has_its_row_and_its_label() {
    let kinds = variants(include_str!("../../src/error.rs"), "ErrorKind");
    assert!(kinds.len() > 10, "{kinds:?}");
    let rows = rows("Error kinds");
    for kind in kinds {
        let row = rows.iter().find(|row| row.starts_with(&format!("| `{kind}` |")));
        let row = row.unwrap_or_else(|| panic!("no row for {kind}"));
        let label = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        assert!(!label.starts_with('`') || label == format!("`{}`", snake_case(&kind)), "{row}");
    }
}

#[test]
fn every_refusal_has_its_row_with_its_status_and_its_label() {
    let source = include_str!("../../src/handshake/rejection.rs");
    let kinds = variants(source, "RejectionKind");
    assert!(kinds.len() > 10, "{kinds:?}");
    let rows = rows("Statuses of refused handshakes");
    for kind in kinds {
        let row = rows.iter().find(|row| row.contains(&format!(" | `{kind}` | ")));
        let row = row.unwrap_or_else(|| panic!("no row for {kind}"));
        let status = &row[2..5];
        // The unit test of `Rejection` has the statuses.
        assert!(
            source.contains(&format!("{kind}, {status}"))
                || source.contains(&format!("{kind},\n                {status}")),
            "{row}"
        );
        assert!(row.ends_with(&format!("| `{}` |", snake_case(&kind))), "{row}");
    }
}

#[test]
fn every_log_line_of_the_guide_is_in_the_code() {
    let sources = [
        include_str!("../../src/connection/panicked.rs"),
        include_str!("../../src/handler.rs"),
        include_str!("../../src/hub/backplane/nats/session.rs"),
        include_str!("../../src/hub/backplane/redis/session.rs"),
        include_str!("../../src/hub/backplane/remote/follower.rs"),
        include_str!("../../src/hub/backplane/remote/reconnect.rs"),
        include_str!("../../src/hub/from_broker.rs"),
        include_str!("../../src/hub/periodic.rs"),
        include_str!("../../src/hub/presence.rs"),
        include_str!("../../src/hub/state.rs"),
        include_str!("../../src/hub/publication.rs"),
        include_str!("../../src/hub/topic_inner.rs"),
        include_str!("../../src/upgrade/config.rs"),
        include_str!("../../src/upgrade/hooks.rs"),
        include_str!("../../src/upgrade/refused.rs"),
        include_str!("../../src/upgrade/streams.rs"),
        include_str!("../../src/upgrade/upgrade.rs"),
        include_str!("../../src/handshake/rejection.rs"),
    ];
    // Long lines are broken in the source.
    let sources = sources.concat().split_whitespace().collect::<Vec<_>>().join(" ").replace("\\ ", "");
    let rows = rows("Log lines");
    assert!(rows.len() > 15, "{rows:?}");
    for row in rows.iter().skip(1) {
        let cell = row.split(" | ").nth(1).unwrap();
        let lines = if cell.starts_with("``") {
            vec![cell.trim_matches('`').trim().to_owned()]
        } else {
            cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
        };
        for line in lines {
            let line = line.trim_end_matches(" ..").trim_end_matches([';', ':']);
            // The sentence of a refusal stands behind this.
            let line = line.strip_prefix("handshake refused").map_or(line, |rest| rest.trim_start_matches(": "));
            assert!(sources.contains(line), "no such line: {line}");
        }
    }
    // And the reverse, for what is worth a warning.
    let guide = incident();
    for source in sources.split("tracing::").skip(1) {
        let is_loud = source.starts_with("error!") || source.starts_with("warn!");
        let literal = source.split(");").next().unwrap().rsplit('"').nth(1);
        if let Some(literal) = literal.filter(|literal| is_loud && !literal.contains('{')) {
            assert!(guide.contains(literal), "not in the guide: {literal}");
        }
    }
}

#[test]
fn every_close_code_that_the_crate_sends_is_in_the_guide() {
    let source =
        include_str!("../../src/protocol/failure.rs").to_owned() + include_str!("../../src/connection/feeds.rs");
    let codes = include_str!("../../src/close.rs");
    let rows = rows("Close codes");
    let names: Vec<_> =
        source.split("CloseCode::").skip(1).map(|rest| rest.split([',', ' ']).next().unwrap()).collect();
    assert!(names.len() > 5, "{names:?}");
    for name in names {
        let code = codes.split_once(&format!("const {name}: Self = Self(")).unwrap().1.split(')').next().unwrap();
        assert!(rows.iter().any(|row| row.starts_with(&format!("| {code} |"))), "{name}");
    }
}

/// Names of axum's `ws`, tungstenite, tokio-tungstenite and gorilla, by which a reader searches the documentation.
#[test]
fn names_of_other_libraries_are_found_in_the_documentation() {
    fn read(directory: &Path, all: &mut String) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { read(&path, all) } else { all.push_str(&std::fs::read_to_string(path).unwrap()) }
        }
    }

    let mut sources = String::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut sources);
    for name in NAMES {
        assert!(sources.contains(&format!("#[doc(alias = \"{name}\")]")), "{name}");
    }
}

#[rustfmt::skip]
const NAMES: &[&str] = &[
    "accept_async", "accept_hdr_async", "accept_unmasked_frames", "AlreadyClosed", "BinaryMessage",
    "can_write", "Capacity", "CapacityError", "client_async", "client_async_tls", "client_async_with_config",
    "CloseMandatoryExtension", "CloseMessage", "CloseProtocolError", "CloseTLSHandshake", "connect_async",
    "connect_async_tls_with_config", "connect_async_with_config", "ConnectionClosed",
    "ConnectionNotUpgradable", "create_response", "DefaultDialer", "derive_accept_key", "DialContext",
    "ErrCloseSent", "EXTENSION", "feed", "FormatCloseMessage", "from_raw_socket", "HandshakeError",
    "into_data", "into_string", "into_text", "IntoClientRequest", "InvalidConnectionHeader",
    "InvalidProtocolPseudoheader", "InvalidUpgradeHeader", "InvalidWebSocketVersionHeader", "Io", "is_binary",
    "is_terminated", "is_text", "IsCloseError", "IsUnexpectedCloseError", "Jar", "JoinMessages",
    "max_frame_size", "max_message_size", "max_write_buffer_size", "MessageTooLong", "MessageType",
    "MethodNotConnect", "MethodNotGet", "NetDial", "NewPreparedMessage", "NextReader", "NextWriter",
    "on_failed_upgrade", "on_upgrade", "OnFailedUpgrade", "opcode", "OpCode", "PingHandler", "PingMessage",
    "PongMessage", "PreparedMessage", "PROTOCOL", "ProtocolError", "protocols", "ProxyFromEnvironment",
    "read_buffer_size", "read_message", "ReadBufferSize", "RemoteAddr", "requested_protocols",
    "selected_protocol", "set_selected_protocol", "SetCloseHandler", "SetPingHandler", "SetPongHandler",
    "SetReadDeadline", "SetReadLimit", "split", "SplitSink", "SplitStream", "SubProtocolError", "TextMessage",
    "Tls", "TlsError", "to_text", "uri_mode", "UrlError", "Utf8", "Utf8Bytes", "WebSocketKeyHeaderMissing",
    "WebSocketUpgradeRejection", "with_header", "with_sub_protocol", "write_message", "write_pending",
    "WriteBufferFull", "WriteBufferSize", "WritePreparedMessage",
];

#[test]
fn every_setting_of_axums_extractor_has_its_row() {
    let guide = include_str!("../../src/guide/migration.rs");
    let axum = guide.split_once("# From `axum::extract::ws`").unwrap().1.split_once("//! # From ").unwrap().0;
    for name in [
        "read_buffer_size",
        "write_buffer_size",
        "max_write_buffer_size",
        "max_message_size",
        "max_frame_size",
        "accept_unmasked_frames",
        "protocols",
        "requested_protocols",
        "set_selected_protocol",
        "selected_protocol",
        "on_failed_upgrade",
        "into_data",
        "into_text",
        "to_text",
        "protocol()",
        "split",
        "recv",
        "send",
    ] {
        assert!(axum.lines().any(|line| line.starts_with("//! | ") && line.contains(name)), "{name}");
    }
}
