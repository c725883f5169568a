use super::run::Run;
use crate::error::Result;
pub fn page(_runs: &[Run]) -> Result<String> {
    Ok(String::new())
}
