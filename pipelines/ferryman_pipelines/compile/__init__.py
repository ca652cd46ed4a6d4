"""From a spec to KFP's IR."""
