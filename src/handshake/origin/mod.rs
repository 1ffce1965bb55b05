//! Which pages may open a WebSocket: the policy, and the origins and hosts that it compares.

mod allowed_hosts;
mod forwarded;
mod policy;
mod request;
mod serialised;
#[cfg(test)]
mod tests;

pub use self::forwarded::ForwardedHeader;
pub use self::policy::OriginPolicy;
pub use self::request::OriginRequest;
