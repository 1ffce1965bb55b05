//! What this process may use, and what it has used. Linux only, as it reads `/proc`.

use std::fs;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

use super::{IDLE_TIME, Result};

/// One thread, whose heap and time can be told from the rest.
pub(crate) fn runtime() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// How many files this process may have open.
pub(crate) fn open_files() -> Result<usize> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    let line = limits.lines().find(|line| line.starts_with("Max open files")).ok_or("no limit on open files")?;
    Ok(line.split_whitespace().nth(3).ok_or("no limit on open files")?.parse().unwrap_or(1_000_000))
}

/// The memory of this process, in bytes.
pub(crate) fn rss() -> Result<i64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).ok_or("no VmRSS")?.parse::<i64>()? * 1024)
}

/// The share of a core that the main thread takes, which does all the work, while the connections are idle.
pub(crate) async fn idle_share() -> Result<f64> {
    let (start, before) = (Instant::now(), cpu_time()?);
    sleep(IDLE_TIME).await;
    Ok((cpu_time()? - before).as_secs_f64() / start.elapsed().as_secs_f64())
}

/// How long the main thread has run.
fn cpu_time() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/self/schedstat")?;
    Ok(Duration::from_nanos(stat.split_whitespace().next().ok_or("no time")?.parse()?))
}
