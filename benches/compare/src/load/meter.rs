use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// A process to be measured.
#[derive(Clone, Copy, Debug)]
pub struct Process(pub u32);

impl Process {
    /// The time its threads have spent on a core, to the nanosecond.
    pub fn cpu(self) -> Result<Duration> {
        let mut total = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.0))? {
            let statistics = fs::read_to_string(thread?.path().join("schedstat"))?;
            total += statistics.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
        Ok(Duration::from_nanos(total))
    }

    /// Its resident memory in KiB.
    pub fn resident(self) -> Result<f64> {
        // The figures in `status` lag behind by up to 64 pages per thread; these are counted anew.
        let memory = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.0))?;
        let line = memory.lines().find_map(|line| line.strip_prefix("Rss:")).context("smaps_rollup has no Rss")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}
