use softgpu::*;
fn main() {
    for path in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&path).unwrap();
        let memory = Memory::new(1 << 26);
        match Module::load(&text, &Profile::named("sm_90").unwrap(), &memory) {
            Ok(m) => println!("{path}: {:?}", m.kernel_names()),
            Err(e) => println!("{path}: {e}"),
        }
    }
}
