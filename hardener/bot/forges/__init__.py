"""The forges themselves: which is meant, with which token, through which client. Outside of here, one is as another."""
