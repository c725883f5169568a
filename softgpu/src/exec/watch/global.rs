use crate::memory::Memory;
pub struct GlobalRaces {}
impl GlobalRaces {
    pub fn new(_: &Memory, _: u64, _: bool) -> GlobalRaces {
        GlobalRaces {}
    }
}
