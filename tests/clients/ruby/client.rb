# A client of Bedrock Runtime on aws-sdk-core, with the operations Converse and ConverseStream. Debian
# has no package of aws-sdk-bedrockruntime, whose generated code declares the same operations.
require "aws-sdk-core"
require "aws-sdk-sso"

module Bedrock
  include Seahorse::Model

  def self.structure(members)
    shape = Shapes::StructureShape.new
    members.each { |name, (type, wire, location)| shape.add_member(name, Shapes::ShapeRef.new(shape: type, location_name: wire, location: location)) }
    shape.struct_class = members.empty? ? Aws::EmptyStructure : Struct.new(*members.keys) { include Aws::Structure }
    shape
  end
end
