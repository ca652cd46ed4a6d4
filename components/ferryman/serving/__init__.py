"""Everything that speaks TensorFlow Serving: protocol, clients, servers, the group record, the agent."""
