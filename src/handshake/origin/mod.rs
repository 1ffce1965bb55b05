//! Which pages may open a WebSocket: the policy, and the origins and hosts it compares.

mod allowed_hosts;
mod policy;
mod request;
mod serialised;
#[cfg(test)]
mod tests;

pub use self::policy::OriginPolicy;
pub use self::request::OriginRequest;
