"""What KFP's compiler and backend let pass and production finds: rules over compiled pipelines, ours and others'."""
