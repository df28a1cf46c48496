"""HL7 version 2 messages: how they are written as text, read, and answered."""
