//! Asks each prompt of the command line once, with the SDK's default configuration.

use aws_sdk_bedrockruntime::types::{ContentBlock, ConversationRole, Message};

#[tokio::main]
async fn main() {
    let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let client = aws_sdk_bedrockruntime::Client::new(&config);
    for prompt in std::env::args().skip(1) {
        let message = Message::builder()
            .role(ConversationRole::User)
            .content(ContentBlock::Text(prompt))
            .build()
            .expect("a message has a role and content");
        let answer = client.converse().model_id("us.amazon.nova-lite-v1:0").messages(message).send().await;
        match answer {
            Ok(answer) => println!("{:?}", answer.output()),
            Err(error) => println!("{}", error),
        }
    }
}
