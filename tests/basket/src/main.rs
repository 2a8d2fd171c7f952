mod strategy;

fn main() -> std::process::ExitCode {
    orchard::main()
}
