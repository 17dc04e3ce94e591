"""The second engine: moto's interpreter of the Amazon States Language, which shares no code with the emulator's."""
