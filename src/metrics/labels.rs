//! The values of labels. Their number is limited, whatever peers send.

use std::borrow::Cow;

use crate::close::CloseCode;
use crate::error::ErrorKind;
use crate::handshake::RejectionKind;
use crate::role::Role;

pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::Client => "client",
        Role::Server => "server",
    }
}

/// Codes from 3000 on are grouped, because a peer may choose any of them.
pub(super) fn close_code(code: CloseCode) -> Cow<'static, str> {
    match code.get() {
        code @ 1000..=1015 => code.to_string().into(),
        3000..=3999 => "3xxx".into(),
        4000..=4999 => "4xxx".into(),
        _ => "other".into(),
    }
}

pub(super) fn error_kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Aborted => "aborted",
        ErrorKind::BudgetExceeded => "budget_exceeded",
        ErrorKind::Closed => "closed",
        ErrorKind::Connect => "connect",
        ErrorKind::Decode => "decode",
        ErrorKind::Disconnected => "disconnected",
        ErrorKind::Encode => "encode",
        ErrorKind::Handshake => "handshake",
        ErrorKind::InvalidSetting => "invalid_setting",
        ErrorKind::KeepaliveTimeout => "keepalive_timeout",
        ErrorKind::LifetimeExceeded => "lifetime_exceeded",
        ErrorKind::MessageTooBig => "message_too_big",
        ErrorKind::Protocol => "protocol",
        ErrorKind::RateLimitExceeded => "rate_limit_exceeded",
        ErrorKind::ReadTimeout => "read_timeout",
        ErrorKind::Source => "source",
        ErrorKind::WriteTimeout => "write_timeout",
    }
}

pub(super) fn rejection_kind(kind: RejectionKind) -> &'static str {
    match kind {
        RejectionKind::Body => "body",
        RejectionKind::HostNotAllowed => "host_not_allowed",
        RejectionKind::HttpVersion => "http_version",
        RejectionKind::InvalidExtensions => "invalid_extensions",
        RejectionKind::InvalidHost => "invalid_host",
        RejectionKind::InvalidKey => "invalid_key",
        RejectionKind::InvalidSubprotocol => "invalid_subprotocol",
        RejectionKind::InvalidTarget => "invalid_target",
        RejectionKind::Method => "method",
        RejectionKind::NotUpgradable => "not_upgradable",
        RejectionKind::NotWebSocket => "not_websocket",
        RejectionKind::Origin => "origin",
        RejectionKind::ShuttingDown => "shutting_down",
        RejectionKind::TooManyConnections => "too_many_connections",
        RejectionKind::TooManyConnectionsPerKey => "too_many_connections_per_key",
        RejectionKind::Version => "version",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_cannot_make_up_labels() {
        let labels = (1000..5000).filter_map(CloseCode::new).map(close_code);
        let labels: std::collections::BTreeSet<_> = labels.collect();
        assert!(labels.len() <= 20, "{labels:?}");
        assert!(labels.contains("1000") && labels.contains("3xxx") && labels.contains("4xxx"));
    }

    #[test]
    fn kinds_are_called_as_in_the_code() {
        for kind in [ErrorKind::KeepaliveTimeout, ErrorKind::Protocol, ErrorKind::RateLimitExceeded] {
            assert_eq!(error_kind(kind).replace('_', ""), format!("{kind:?}").to_lowercase());
        }
        for kind in [RejectionKind::Origin, RejectionKind::TooManyConnectionsPerKey, RejectionKind::NotWebSocket] {
            assert_eq!(rejection_kind(kind).replace('_', ""), format!("{kind:?}").to_lowercase());
        }
    }
}
