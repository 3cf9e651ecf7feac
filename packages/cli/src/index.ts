/** @sallyport/cli is a command (bin/sallyport.js); it has no public names. */
export {}
