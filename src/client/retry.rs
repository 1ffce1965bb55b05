//! After which errors another attempt may succeed.

use std::time::{Duration, SystemTime};

use http::StatusCode;
use http::header::RETRY_AFTER;

use super::backoff::Hint;
use super::failed::is_unprocessed;
use crate::close::{CloseCode, CloseFrame};
use crate::error::{Error, ErrorKind};

impl Error {
    /// Whether another attempt to connect may succeed later.
    ///
    /// | error | retryable |
    /// | --- | --- |
    /// | [`Connect`](ErrorKind::Connect), [`Disconnected`](ErrorKind::Disconnected), every timeout, [`LifetimeExceeded`](ErrorKind::LifetimeExceeded), [`BudgetExceeded`](ErrorKind::BudgetExceeded) | yes, except: an invalid certificate, TLS settings that do not match or that the server refuses, and a proxy that is not usable, refuses the password, or refuses this server |
    /// | [`Handshake`](ErrorKind::Handshake) with the status 408, 425, 429, 500, 502, 503 or 504, or an HTTP/2 stream that the server has refused without processing it | yes |
    /// | `Handshake` with any other response, such as 401, 403, 404 or a redirect, or with an invalid response | no |
    /// | [`Closed`](ErrorKind::Closed) with 1001, 1005, 1011 to 1014, or 3000 and above | yes, except 3000 (unauthorized) and 3003 (forbidden) |
    /// | `Closed` with any other code: 1000, and codes for a fault of one side | no |
    /// | everything else | no |
    ///
    /// ```
    /// use tower_websocket::{CloseCode, CloseFrame, Error};
    ///
    /// assert!(Error::from(CloseFrame::from(CloseCode::SERVICE_RESTART)).is_retryable());
    /// assert!(!Error::from(CloseFrame::from(CloseCode::POLICY_VIOLATION)).is_retryable());
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "client")))]
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self.kind() {
            ErrorKind::BudgetExceeded
            | ErrorKind::Disconnected
            | ErrorKind::KeepaliveTimeout
            | ErrorKind::LifetimeExceeded
            | ErrorKind::ReadTimeout
            | ErrorKind::WriteTimeout => true,
            ErrorKind::Closed => self.close_frame().is_some_and(may_come_back),
            ErrorKind::Connect => !is_refused_by_tls(self) && !is_permanent(self),
            ErrorKind::Handshake => {
                is_unprocessed(self) || self.response().is_some_and(|response| is_temporary(response.status()))
            }
            ErrorKind::Aborted
            | ErrorKind::Decode
            | ErrorKind::Encode
            | ErrorKind::InvalidSetting
            | ErrorKind::MessageTooBig
            | ErrorKind::Protocol
            | ErrorKind::RateLimitExceeded
            | ErrorKind::Source => false,
        }
    }

    /// The delay that the server has requested.
    pub(super) fn retry_hint(&self) -> Hint {
        if let Some(frame) = self.close_frame() {
            return match frame.code() {
                CloseCode::SERVICE_RESTART | CloseCode::TRY_AGAIN_LATER => Hint::Restart,
                _ => Hint::None,
            };
        }
        let after = self.response().and_then(|response| response.headers().get(RETRY_AFTER));
        after.and_then(|after| retry_after(after.to_str().ok()?.trim())).map_or(Hint::None, Hint::After)
    }
}

/// Whether a server that closes with this frame may accept the client later.
fn may_come_back(frame: &CloseFrame) -> bool {
    match frame.code().get() {
        1001 | 1005 | 1011..=1014 => true,
        // IANA: unauthorized, and forbidden.
        3000 | 3003 => false,
        code => code > 3000,
    }
}

pub(super) fn is_temporary(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

/// Parses seconds or a date (RFC 9110 §10.2.3).
fn retry_after(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// Whether the failure is permanent: a proxy of an unsupported kind, or one that refuses the client or the server.
fn is_permanent(error: &Error) -> bool {
    use std::io::{Error as IoError, ErrorKind as IoErrorKind};

    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<IoError>());
    let permanent = [IoErrorKind::InvalidInput, IoErrorKind::PermissionDenied, IoErrorKind::Unsupported];
    source.is_some_and(|source| permanent.contains(&source.kind()))
}

/// Whether TLS has failed permanently: because of a certificate, or because the two sides have nothing in common.
#[cfg(feature = "rustls")]
fn is_refused_by_tls(error: &Error) -> bool {
    use tokio_rustls::rustls::{AlertDescription, Error as TlsError, InvalidMessage};

    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    let cause = source.and_then(std::io::Error::get_ref).and_then(|cause| cause.downcast_ref());
    match cause {
        Some(TlsError::AlertReceived(alert)) => matches!(
            alert,
            AlertDescription::AccessDenied
                | AlertDescription::BadCertificate
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateRequired
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateUnknown
                | AlertDescription::HandshakeFailure
                | AlertDescription::InsufficientSecurity
                | AlertDescription::NoApplicationProtocol
                | AlertDescription::ProtocolVersion
                | AlertDescription::UnknownCA
                | AlertDescription::UnrecognisedName
                | AlertDescription::UnsupportedCertificate
        ),
        // `InvalidContentType` is what a server without TLS causes.
        Some(
            TlsError::InvalidCertificate(_)
            | TlsError::InvalidMessage(InvalidMessage::InvalidContentType)
            | TlsError::PeerIncompatible(_),
        ) => true,
        _ => false,
    }
}

#[cfg(not(feature = "rustls"))]
fn is_refused_by_tls(_: &Error) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_done_is_not_tried_again() {
        use std::io::{Error as IoError, ErrorKind as IoErrorKind};

        for (kind, retryable) in [
            (IoErrorKind::ConnectionRefused, true),
            (IoErrorKind::ConnectionReset, true),
            (IoErrorKind::InvalidInput, false),
            (IoErrorKind::Other, true),
            (IoErrorKind::PermissionDenied, false),
            (IoErrorKind::TimedOut, true),
            (IoErrorKind::Unsupported, false),
        ] {
            let error = Error::with_source(ErrorKind::Connect, IoError::new(kind, "why"));
            assert_eq!(error.is_retryable(), retryable, "{kind}");
        }
    }

    #[cfg(feature = "rustls")]
    #[test]
    fn what_tls_refuses_is_not_tried_again() {
        use tokio_rustls::rustls::{AlertDescription, CertificateError, Error as TlsError, PeerIncompatible};

        for (cause, retryable) in [
            (TlsError::InvalidCertificate(CertificateError::Expired), false),
            (TlsError::InvalidCertificate(CertificateError::UnknownIssuer), false),
            (TlsError::PeerIncompatible(PeerIncompatible::Tls12NotOffered), false),
            (TlsError::AlertReceived(AlertDescription::CertificateRequired), false),
            (TlsError::AlertReceived(AlertDescription::NoApplicationProtocol), false),
            (TlsError::AlertReceived(AlertDescription::InternalError), true),
            (TlsError::AlertReceived(AlertDescription::BadRecordMac), true),
        ] {
            let io = std::io::Error::new(std::io::ErrorKind::InvalidData, cause.clone());
            let error = Error::with_source(ErrorKind::Connect, io);
            assert_eq!(error.is_retryable(), retryable, "{cause:?}");
        }
    }

    #[test]
    fn knows_which_close_codes_may_be_cured() {
        for (code, retryable) in [
            (1000, false),
            (1001, true),
            (1002, false),
            (1003, false),
            (1007, false),
            (1008, false),
            (1009, false),
            (1010, false),
            (1011, true),
            (1012, true),
            (1013, true),
            (1014, true),
            (3000, false),
            (3003, false),
            (3008, true),
            (4000, true),
            (4999, true),
        ] {
            let frame = CloseFrame::from(CloseCode::new(code).unwrap());
            assert_eq!(Error::from(frame).is_retryable(), retryable, "{code}");
        }
        assert!(Error::from(CloseFrame::without_code()).is_retryable());
    }

    #[test]
    fn a_server_that_restarts_or_is_full_is_left_alone_for_a_while() {
        for (code, hint) in [
            (CloseCode::GOING_AWAY, Hint::None),
            (CloseCode::SERVICE_RESTART, Hint::Restart),
            (CloseCode::TRY_AGAIN_LATER, Hint::Restart),
        ] {
            assert_eq!(Error::from(CloseFrame::from(code)).retry_hint(), hint, "{code:?}");
        }
    }

    #[test]
    fn reads_what_a_server_says_of_its_return() {
        for (value, after) in [
            ("0", Some(0)),
            ("120", Some(120)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value), after.map(Duration::from_secs), "{value}");
        }
        let later = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(100));
        assert!(retry_after(&later).is_some_and(|after| (90..=100).contains(&after.as_secs())));
    }
}
