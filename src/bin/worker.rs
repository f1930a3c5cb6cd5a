//! The Lambda function behind the SQS queue.

fn main() -> Result<(), lambda_runtime::Error> {
    taskhook::telemetry::init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(taskhook::lambda::worker::run())
}
