# frozen_string_literal: true

# Asks each prompt of the command line once, with the SDK's default configuration.
require_relative "bedrock"

client = Bedrock.connect
ARGV.each do |prompt|
  answer = client.converse(model_id: "us.amazon.nova-lite-v1:0", messages: [{ role: "user", content: [{ text: prompt }] }])
  puts answer.output.message.content[0].text
rescue Aws::Errors::ServiceError, Seahorse::Client::NetworkingError => e
  puts e.class
end
