//! One file from a mirror.

use super::options::Options;
use crate::{Error, Result};
use indicatif::ProgressBar;
use std::io::Read;
use std::time::Duration;
use ureq::Agent;
use ureq::http::header::CONTENT_LENGTH;

/// Downloads `url` whole into memory, no more than `limit` bytes.
///
/// # Errors
/// [`Error::Download`] for a name that does not resolve, no connection, a status other than success, silence for longer
/// than the time-outs, a cut connection, too long an answer.
pub fn download(url: &str, limit: u64, options: &Options, bar: &ProgressBar) -> Result<Vec<u8>> {
    let failed = |cause: String| Error::Download { from: url.to_string(), cause };
    let agent: Agent = Agent::config_builder()
        .timeout_resolve(Some(options.connect_timeout))
        .timeout_connect(Some(options.connect_timeout))
        .timeout_recv_response(Some(options.read_timeout))
        .timeout_per_read(Some(options.read_timeout))
        // A mirror that trickles must end too.
        .timeout_global(Some(Duration::from_secs(1800)))
        .build()
        .into();
    let mut response = agent.get(url).call().map_err(|e| failed(e.to_string()))?;
    let length = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if let Some(length) = length {
        bar.set_length(length);
    }
    let mut body = Vec::new();
    bar.wrap_read(response.body_mut().as_reader().take(limit + 1))
        .read_to_end(&mut body)
        .map_err(|e| failed(format!("broke off after {} bytes: {e}", body.len())))?;
    if body.len() as u64 > limit {
        return Err(failed(format!("the answer is longer than the {limit} bytes that the file can have")));
    }
    Ok(body)
}
