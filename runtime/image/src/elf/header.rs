/// x
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine;
impl Machine { #[must_use] pub fn architecture(self) -> &'static str { "amd64" } }
